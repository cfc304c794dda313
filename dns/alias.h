// Follows aliases from question to question: a server that does not know the target of a CNAME may
// answer with the alias alone, and the caller asks again for the target.
#pragma once

#include <string>
#include <string_view>

#include "core/runtime/task.h"
#include "dns/resolver.h"

namespace dns {

// The result's ttl and authenticated cover the whole way, its canonical_name is where it ends.
// Aliases without end (more than kMaxAliases) are a server's failure.
core::Task<DnsAnswer> follow_aliases(Resolver& resolver, std::string name, RecordType type);

// The servers failed or were silent: nothing is known, not even that there is nothing.
bool is_temporary(const DnsAnswer& answer);
std::string failure_text(std::string_view name, RecordType type, const DnsAnswer& answer);

}  // namespace dns
