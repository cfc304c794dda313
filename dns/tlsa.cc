#include "dns/tlsa.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "dns/alias.h"
#include "dns/route_failure.h"

namespace dns {

namespace {

// Where there may be records that can be trusted, in the order of asking.
core::Task<std::expected<std::vector<std::string>, RouteFailure>> base_domains(Resolver& resolver,
                                                                               HostAddresses host) {
    std::vector<std::string> bases;
    const bool alias = host.canonical_name != host.host;
    if (host.authenticated) {
        bases.push_back(host.canonical_name);
        if (alias) bases.push_back(host.host);
    } else if (alias) {  // the tail of the chain may be what is not signed
        const DnsAnswer first = co_await resolver.query(host.host, RecordType::cname);
        if (is_temporary(first)) {
            co_return std::unexpected(temporary_failure(host.host, RecordType::cname, first));
        }
        if (first.status == DnsStatus::ok && first.authenticated) bases.push_back(host.host);
    }
    co_return bases;
}

}  // namespace

bool is_usable(const TlsaData& record) {
    if (record.usage != 2 && record.usage != 3) return false;
    if (record.selector > 1) return false;
    switch (record.matching) {
        case 0:
            return !record.data.empty();
        case 1:
            return record.data.size() == 32;
        case 2:
            return record.data.size() == 64;
        default:
            return false;
    }
}

bool HostTlsa::usable() const {
    return std::ranges::any_of(records, is_usable);
}

core::Task<TlsaResult> resolve_tlsa(Resolver& resolver, HostAddresses host, std::uint16_t port) {
    const auto bases = co_await base_domains(resolver, std::move(host));
    if (!bases) co_return std::unexpected(bases.error());
    for (const std::string& base : *bases) {
        const std::string name = fmt::format("_{}._tcp.{}", port, base);
        // Too long a name has no records; the resolver would say so.
        const DnsAnswer answer = co_await follow_aliases(resolver, name, RecordType::tlsa);
        if (is_temporary(answer)) {
            co_return std::unexpected(temporary_failure(name, RecordType::tlsa, answer));
        }
        if (answer.status != DnsStatus::ok || !answer.authenticated) continue;
        HostTlsa found;
        found.base = base;
        for (const Record& record : answer.records) {
            if (found.records.size() == kMaxTlsaRecords) break;
            found.records.push_back(std::get<TlsaData>(record.data));
        }
        co_return found;
    }
    co_return HostTlsa{};
}

}  // namespace dns
