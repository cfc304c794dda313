// resolve_addresses() of dns/mx.h: from a mail host to its addresses.
#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/base/log.h"
#include "dns/alias.h"
#include "dns/mx.h"
#include "dns/route_failure.h"
#include "dns/wire/domain_name.h"

namespace dns {

namespace {

struct Found {
    std::vector<core::IpAddress> addresses;
    std::size_t prohibited = 0;
    bool own = false;
};

Found sift(const DnsAnswer& answer, const RoutingRules& rules) {
    Found found;
    for (const Record& record : answer.records) {
        const auto& address = std::get<core::IpAddress>(record.data);
        if (is_own(rules, address)) found.own = true;
        if (is_prohibited(rules, address)) {
            ++found.prohibited;
        } else {
            found.addresses.push_back(address);
        }
    }
    return found;
}

// Both families get a turn within the limit, and so do hosts whose first family is unreachable.
std::vector<core::IpAddress> alternate(const std::vector<core::IpAddress>& first,
                                       const std::vector<core::IpAddress>& second) {
    std::vector<core::IpAddress> mixed;
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        for (const auto* family : {&first, &second}) {
            if (i < family->size() && mixed.size() < kMaxAddresses) mixed.push_back((*family)[i]);
        }
    }
    return mixed;
}

std::pair<std::optional<RecordType>, std::optional<RecordType>> types_of(AddressFamilies families) {
    switch (families) {
        case AddressFamilies::v4_only:
            return {RecordType::a, std::nullopt};
        case AddressFamilies::v6_only:
            return {RecordType::aaaa, std::nullopt};
        case AddressFamilies::v4_then_v6:
            return {RecordType::a, RecordType::aaaa};
        case AddressFamilies::v6_then_v4:
            return {RecordType::aaaa, RecordType::a};
    }
    return {RecordType::a, RecordType::aaaa};
}

// Why a host has no address that mail may go to. second is null when one family was asked for.
RouteFailure explain(std::string_view host, RecordType type, const DnsAnswer& first,
                     const DnsAnswer* second, RecordType second_type) {
    if (is_temporary(first)) return temporary_failure(host, type, first);
    if (second != nullptr && is_temporary(*second)) {
        return temporary_failure(host, second_type, *second);
    }
    const auto ttl = second == nullptr ? first.ttl : std::min(first.ttl, second->ttl);
    if (second != nullptr && first.status != second->status) return contradiction(host, ttl);
    const bool absent = first.status == DnsStatus::nxdomain;
    return failure(
        FailureKind::unusable,
        fmt::format("mail host {} {}", host, absent ? "does not exist" : "has no address"), ttl);
}

// Of a plan's host that is an address itself. An MX record never names such a host.
AddressResult literal_address(const core::IpAddress& address, const RoutingRules& rules,
                              AddressFamilies families) {
    const AddressFamilies other =
        address.is_v4() ? AddressFamilies::v6_only : AddressFamilies::v4_only;
    const auto refused = [&](FailureKind kind, std::string_view why) {
        return std::unexpected(
            failure(kind, fmt::format("address {} {}", address.to_string(), why), kForLong));
    };
    if (is_own(rules, address)) return refused(FailureKind::own_host, "is one of this host");
    if (is_prohibited(rules, address)) return refused(FailureKind::prohibited, "is prohibited");
    if (families == other) return refused(FailureKind::unusable, "is of a family that is not used");
    HostAddresses result;
    result.host = result.canonical_name = address.to_string();
    result.addresses.push_back(address);
    result.ttl = kForLong;
    return result;
}

}  // namespace

core::Task<AddressResult> resolve_addresses(Resolver& resolver, std::string host,
                                            const RoutingRules& rules, AddressFamilies families) {
    if (rules.address_literals) {
        if (const auto address = core::IpAddress::parse(host)) {
            co_return literal_address(*address, rules, families);
        }
    }
    const auto name = mail_domain(host);
    if (!name) {
        co_return std::unexpected(failure(FailureKind::unusable,
                                          fmt::format("{} is no host name", core::escaped(host)),
                                          kForLong));
    }
    const auto types = types_of(families);
    const DnsAnswer first = co_await follow_aliases(resolver, *name, *types.first);
    // Also after NXDOMAIN: servers exist that say so of one type of a name that has the other (RFC
    // 4074 section 4.2), and that is no reason to return mail.
    const bool ask_second = types.second.has_value();
    DnsAnswer second;
    second.ttl = first.ttl;
    if (ask_second) second = co_await follow_aliases(resolver, *name, *types.second);

    const Found found = sift(first, rules);
    const Found more = sift(second, rules);
    HostAddresses result;
    result.host = *name;
    const DnsAnswer& leading = first.status == DnsStatus::ok ? first : second;
    result.canonical_name = leading.canonical_name;
    // What failed proves nothing, nor does NXDOMAIN of a name that has addresses: if it counted,
    // breaking one lookup would switch DANE off.
    const auto unsigned_answer = [](const DnsAnswer& answer) {
        return !is_temporary(answer) && answer.status != DnsStatus::nxdomain &&
               !answer.authenticated;
    };
    result.authenticated = !unsigned_answer(first) && !unsigned_answer(second);
    result.ttl = ask_second ? std::min(first.ttl, second.ttl) : first.ttl;
    result.addresses = alternate(found.addresses, more.addresses);
    if (found.own || more.own) {
        co_return std::unexpected(
            failure(FailureKind::own_host,
                    fmt::format("mail host {} has an address of this host", *name), result.ttl));
    }
    if (!result.addresses.empty()) co_return result;
    if (found.prohibited + more.prohibited > 0) {
        co_return std::unexpected(
            failure(FailureKind::prohibited,
                    fmt::format("every address of mail host {} is prohibited", *name), result.ttl));
    }
    co_return std::unexpected(explain(*name, *types.first, first, ask_second ? &second : nullptr,
                                      types.second.value_or(RecordType::a)));
}

RouteFailure merge(RouteFailure first, RouteFailure second) {
    const auto ttl = std::min(first.ttl, second.ttl);
    RouteFailure& kept = first.permanent() && !second.permanent() ? second : first;
    kept.ttl = ttl;
    return std::move(kept);
}

}  // namespace dns
