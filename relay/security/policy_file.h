// The file that keeps the MTA-STS policies of a StsStore over a restart: <data_dir>/mta-sts. Read
// once at start; written beside and renamed, so that there is always a whole one. Losing it costs
// fetching them again, during which an attacker may keep a policy from us (RFC 8461 section 10.2).
#pragma once

#include <string>

#include "core/file/disk.h"
#include "core/io/shard.h"
#include "core/runtime/task.h"
#include "relay/security/sts_store.h"

namespace relay {

// Blocks: before the shards serve. A file that is not there, or not ours, gives nothing.
void load_policies(const std::string& path, StsStore& store, core::WallTime now);

core::Task<core::IoResult<void>> save_policies(core::Shard& shard, core::Disk& disk,
                                               std::string path, std::string text);

}  // namespace relay
