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
#include "dns/route_failure.h"
#include "dns/wire/domain_name.h"

namespace dns {
namespace {

bool is_own(const RoutingRules& rules, std::string_view host) {
    return std::ranges::any_of(rules.own_names, [&](std::string_view own) {
        if (own.ends_with('.')) own.remove_suffix(1);
        return core::equals_ignoring_case(own, host);
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

namespace {

// One NXDOMAIN is not believed: servers exist that say so of each type they do not know (RFC 4074
// section 4.2). None: the domain has addresses, so what was said of its MX was wrong, and it is its
// own host.
core::Task<std::optional<RouteFailure>> confirm_absence(Resolver& resolver, std::string domain,
                                                        DnsAnswer mx) {
    auto ttl = mx.ttl;
    std::optional<RouteFailure> doubt;
    for (const RecordType type : {RecordType::a, RecordType::aaaa}) {
        const DnsAnswer answer = co_await follow_aliases(resolver, mx.canonical_name, type);
        if (answer.status == DnsStatus::ok) co_return std::nullopt;
        ttl = std::min(ttl, answer.ttl);
        if (is_temporary(answer)) doubt = temporary_failure(mx.canonical_name, type, answer);
        if (answer.status == DnsStatus::nodata && !doubt) {
            doubt = contradiction(mx.canonical_name, ttl);
        }
    }
    if (doubt) co_return doubt;
    co_return failure(FailureKind::no_such_domain, fmt::format("domain {} does not exist", domain),
                      ttl);
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
        case DnsStatus::nxdomain: {
            auto none = co_await confirm_absence(resolver, *asked, answer);
            if (none) co_return std::unexpected(std::move(*none));
            [[fallthrough]];
        }
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

}  // namespace dns
