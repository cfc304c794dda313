#include "dns/mx.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <openssl/sha.h>

#include "core/base/ascii.h"
#include "core/base/log.h"
#include "dns/alias.h"
#include "dns/wire/domain_name.h"

namespace dns {
namespace {

RouteFailure failure(FailureKind kind, std::string text, std::chrono::seconds ttl) {
    RouteFailure result;
    result.kind = kind;
    result.text = std::move(text);
    result.ttl = ttl;
    const auto reply = [&](std::uint16_t code, std::uint16_t subject, std::uint16_t detail) {
        result.code = code;
        result.klass = static_cast<std::uint8_t>(code / 100);
        result.subject = subject;
        result.detail = detail;
    };
    switch (kind) {
        case FailureKind::bad_domain:
        case FailureKind::no_such_domain:
            reply(550, 1, 2);
            break;
        case FailureKind::null_mx:
            reply(556, 1, 10);
            break;
        case FailureKind::unusable:
        case FailureKind::prohibited:
            reply(550, 4, 4);
            break;
        case FailureKind::own_host:
            reply(554, 4, 6);
            break;
        case FailureKind::no_service:
            reply(451, 4, 4);
            break;
        case FailureKind::temporary:
            reply(451, 4, 3);
            break;
    }
    return result;
}

// Facts that follow from a domain's or host's own spelling do not change; look again in a day.
constexpr std::chrono::seconds kForLong = std::chrono::days{1};

RouteFailure temporary_failure(std::string_view name, RecordType type, const DnsAnswer& answer) {
    return failure(FailureKind::temporary, failure_text(name, type, answer), answer.ttl);
}

bool is_own(const RoutingRules& rules, std::string_view host) {
    return std::ranges::any_of(rules.own_names, [&](std::string_view own) {
        if (own.ends_with('.')) own.remove_suffix(1);
        return core::equals_ignoring_case(own, host);
    });
}

bool is_own(const RoutingRules& rules, const core::IpAddress& address) {
    return std::ranges::any_of(rules.own_addresses, [&](const core::IpAddress& own) {
        return own.unmapped() == address.unmapped();
    });
}

bool is_prohibited(const RoutingRules& rules, const core::IpAddress& address) {
    return std::ranges::any_of(rules.prohibited, [&](const core::IpNetwork& network) {
        return network.contains(address);
    });
}

bool is_null_mx(const std::vector<Record>& records) {
    if (records.size() != 1) return false;
    const auto& mx = std::get<MxData>(records.front().data);
    return mx.preference == 0 && mx.exchange == ".";
}

// Usable hosts by preference, then name; a host counts once, at its best preference.
std::vector<MxData> usable_hosts(const std::vector<Record>& records) {
    std::vector<MxData> hosts;
    for (const Record& record : records) {
        const auto& mx = std::get<MxData>(record.data);
        // "." among others and IP literals are no hosts (RFC 7505 section 3, RFC 5321 section 5.1).
        if (is_host_name(mx.exchange)) hosts.push_back(mx);
    }
    std::ranges::sort(hosts, [](const MxData& a, const MxData& b) {
        return a.exchange != b.exchange ? a.exchange < b.exchange : a.preference < b.preference;
    });
    const auto repeated = std::ranges::unique(hosts, {}, &MxData::exchange);
    hosts.erase(repeated.begin(), repeated.end());
    std::ranges::sort(hosts, [](const MxData& a, const MxData& b) {
        return a.preference != b.preference ? a.preference < b.preference : a.exchange < b.exchange;
    });
    return hosts;
}

// RFC 5321 section 5.1: our own preference and all worse ones would lead mail back to us.
void drop_from_own_host(std::vector<MxData>& hosts, const RoutingRules& rules) {
    const auto own = std::ranges::find_if(
        hosts, [&](const MxData& host) { return is_own(rules, host.exchange); });
    if (own == hosts.end()) return;
    const std::uint16_t preference = own->preference;
    std::erase_if(hosts, [&](const MxData& host) { return host.preference >= preference; });
}

MxResult finish(MxPlan plan, std::vector<MxData> hosts, const RoutingRules& rules) {
    if (hosts.empty()) {
        return std::unexpected(
            failure(FailureKind::unusable,
                    fmt::format("no MX of {} names a host that mail can be sent to", plan.domain),
                    plan.ttl));
    }
    drop_from_own_host(hosts, rules);
    if (hosts.empty()) {
        return std::unexpected(
            failure(FailureKind::own_host,
                    fmt::format("mail for {} loops back to this host", plan.domain), plan.ttl));
    }
    if (hosts.size() > kMaxMxHosts) hosts.resize(kMaxMxHosts);
    std::vector<std::string> names;
    for (MxData& host : hosts) {
        if (plan.groups.empty() || plan.groups.back().preference != host.preference) {
            plan.groups.push_back({host.preference, {}});
        }
        names.push_back(host.exchange);
        plan.groups.back().hosts.push_back(std::move(host.exchange));
    }
    plan.site = site_name(std::move(names));
    return plan;
}

// Where the labels that all hosts end in begin, in the first of them; its size if there are fewer
// than two such labels (a common "com" tells nothing).
std::size_t common_domain(std::span<const std::string> hosts) {
    const std::string& first = hosts.front();
    std::size_t begin = first.size();
    std::size_t labels = 0;
    while (begin > 0) {
        const auto dot = begin == first.size() ? first.rfind('.') : first.rfind('.', begin - 2);
        const std::size_t next = dot == std::string::npos ? 0 : dot + 1;
        const std::string_view domain = std::string_view(first).substr(next);
        const bool shared = std::ranges::all_of(hosts, [&](std::string_view host) {
            return host.ends_with(domain) &&
                   (host.size() == domain.size() || host[host.size() - domain.size() - 1] == '.');
        });
        if (!shared) break;
        begin = next;
        ++labels;
    }
    return labels < 2 ? first.size() : begin;
}

std::string digest(std::span<const std::string> hosts) {
    std::string joined;
    for (const std::string& host : hosts)
        joined += host + '\n';
    std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
    SHA256(reinterpret_cast<const unsigned char*>(joined.data()), joined.size(), hash.data());
    std::string hex;
    for (std::size_t i = 0; i < 16; ++i)
        hex += fmt::format("{:02x}", hash[i]);
    return hex;
}

}  // namespace

std::string site_name(std::vector<std::string> hosts) {
    std::ranges::sort(hosts);
    const auto repeated = std::ranges::unique(hosts);
    hosts.erase(repeated.begin(), repeated.end());
    if (hosts.empty()) return {};
    if (hosts.size() == 1 && hosts.front().size() <= kMaxSiteName) return hosts.front();

    const std::string domain = hosts.front().substr(common_domain(hosts));
    std::string heads;
    bool domain_itself = false;
    for (const std::string& host : hosts) {
        if (host.size() == domain.size()) {
            domain_itself = true;
            continue;
        }
        if (!heads.empty()) heads += '|';
        heads += host.substr(0, host.size() - domain.size() - (domain.empty() ? 0 : 1));
    }
    std::string name = fmt::format("({}){}{}{}", heads, domain_itself ? "?" : "",
                                   domain.empty() ? "" : ".", domain);
    if (name.size() <= kMaxSiteName) return name;
    const std::string tail = '#' + digest(hosts);
    return name.substr(0, kMaxSiteName - tail.size()) + tail;
}

namespace {

// RFC 5321 section 5: no MX, no name, and so nobody who could vouch for its TLS.
MxPlan literal_plan(const core::IpAddress& address) {
    MxPlan plan;
    const std::string host = address.to_string();
    plan.domain = plan.canonical_name = plan.site = '[' + host + ']';
    plan.groups.push_back({0, {host}});
    plan.ttl = kForLong;
    plan.literal = true;
    return plan;
}

}  // namespace

core::Task<MxResult> resolve_mx(Resolver& resolver, std::string domain, const RoutingRules& rules) {
    if (rules.address_literals) {
        if (const auto address = address_literal(domain)) co_return literal_plan(*address);
    }
    const auto asked = mail_domain(domain);
    if (!asked) {
        co_return std::unexpected(
            failure(FailureKind::bad_domain,
                    fmt::format("{} is no domain that has mail", core::escaped(domain)), kForLong));
    }
    DnsAnswer answer = co_await follow_aliases(resolver, *asked, RecordType::mx);
    MxPlan plan;
    plan.domain = *asked;
    plan.canonical_name = answer.canonical_name;
    plan.ttl = answer.ttl;
    plan.authenticated = answer.authenticated;
    std::vector<MxData> hosts;
    switch (answer.status) {
        case DnsStatus::servfail:
        case DnsStatus::timeout:
            co_return std::unexpected(temporary_failure(*asked, RecordType::mx, answer));
        case DnsStatus::nxdomain:
            co_return std::unexpected(failure(FailureKind::no_such_domain,
                                              fmt::format("domain {} does not exist", *asked),
                                              answer.ttl));
        case DnsStatus::nodata:
            plan.implicit = true;  // RFC 5321 section 5.1: the domain is its own MX, preference 0
            if (is_host_name(answer.canonical_name)) hosts.push_back({0, answer.canonical_name});
            break;
        case DnsStatus::ok:
            if (is_null_mx(answer.records)) {
                co_return std::unexpected(failure(
                    FailureKind::null_mx,
                    fmt::format("domain {} does not accept mail (null MX)", *asked), answer.ttl));
            }
            hosts = usable_hosts(answer.records);
            break;
    }
    co_return finish(std::move(plan), std::move(hosts), rules);
}

std::vector<std::string> delivery_order(const MxPlan& plan, core::Prng& prng) {
    std::vector<std::string> order;
    for (const MxGroup& group : plan.groups) {
        const auto begin = static_cast<std::ptrdiff_t>(order.size());
        order.insert(order.end(), group.hosts.begin(), group.hosts.end());
        for (std::size_t left = group.hosts.size(); left > 1; --left) {
            const auto chosen = static_cast<std::ptrdiff_t>(prng.below(left));
            std::swap(order[static_cast<std::size_t>(begin) + left - 1],
                      order[static_cast<std::size_t>(begin + chosen)]);
        }
    }
    return order;
}

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
    const bool absent = first.status == DnsStatus::nxdomain;
    return failure(
        FailureKind::unusable,
        fmt::format("mail host {} {}", host, absent ? "does not exist" : "has no address"), ttl);
}

}  // namespace

namespace {

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
    // A name that does not exist has no records of another type either (RFC 8020).
    const bool ask_second = types.second && first.status != DnsStatus::nxdomain;
    DnsAnswer second;
    second.ttl = first.ttl;
    if (ask_second) second = co_await follow_aliases(resolver, *name, *types.second);

    const Found found = sift(first, rules);
    const Found more = sift(second, rules);
    HostAddresses result;
    result.host = *name;
    const DnsAnswer& leading = first.status == DnsStatus::ok ? first : second;
    result.canonical_name = leading.canonical_name;
    // What failed proves nothing: if it counted, breaking one lookup would switch DANE off.
    const auto unsigned_answer = [](const DnsAnswer& answer) {
        return !is_temporary(answer) && !answer.authenticated;
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
