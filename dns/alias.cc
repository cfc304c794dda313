#include "dns/alias.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace dns {

core::Task<DnsAnswer> follow_aliases(Resolver& resolver, std::string name, RecordType type) {
    DnsAnswer answer = co_await resolver.query(name, type);
    for (int aliases = 0; answer.status == DnsStatus::nodata && answer.canonical_name != name;) {
        if (++aliases > kMaxAliases) {
            answer.status = DnsStatus::servfail;
            break;
        }
        name = answer.canonical_name;
        DnsAnswer next = co_await resolver.query(name, type);
        next.ttl = std::min(next.ttl, answer.ttl);
        next.authenticated = next.authenticated && answer.authenticated;
        answer = std::move(next);
    }
    co_return answer;
}

bool is_temporary(const DnsAnswer& answer) {
    return answer.status == DnsStatus::servfail || answer.status == DnsStatus::timeout;
}

std::string failure_text(std::string_view name, RecordType type, const DnsAnswer& answer) {
    return fmt::format(
        "{} lookup for {} failed: {}", to_string(type), name,
        answer.status == DnsStatus::timeout ? "no answer in time" : "name server failure");
}

}  // namespace dns
