// Reads and writes <data_dir>/mta-sts, the file that keeps the MTA-STS policies of a StsStore over
// a restart. It is read once, at the start, and written by core::replace_file(). Losing it costs
// fetching the policies again, during which an attacker may keep a policy from us (RFC 8461 section
// 10.2).
#pragma once

#include <string>

#include "relay/security/sts_store.h"

namespace relay {

// Blocks: before the shards serve. A file that is not there, or not ours, gives nothing.
void load_policies(const std::string& path, StsStore& store, core::WallTime now);

}  // namespace relay
