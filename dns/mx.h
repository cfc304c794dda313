// Routing by MX (RFC 5321 section 5.1, RFC 7505): from a recipient's domain to the hosts of its
// site, and from one host to its addresses. Functions over a Resolver; they keep no state and run
// on the caller's shard. The origin shard asks resolve_mx() for a domain; the home shard of the
// path asks delivery_order() for each connection it plans and resolve_addresses() for each host it
// tries.
//
//   own host   resolve_mx() knows it by name; resolve_addresses() by address, and then answers
//              FailureKind::own_host: drop that host's preference and all worse ones.
//   no host    when every host failed, merge() of their failures is the outcome of the attempt: it
//   is
//              temporary as soon as one of them is.
//
//   literal    where rules allow them, the plan of "[192.0.2.1]" has the host "192.0.2.1"; nothing
//              is looked up for either.
//
// Limits: kMaxMxHosts hosts of a domain (the most preferred ones are kept), kMaxAliases CNAMEs,
// kMaxAddresses addresses of a host, kMaxSiteName octets of a site's name.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/base/prng.h"
#include "core/runtime/task.h"
#include "dns/resolver.h"

namespace dns {

inline constexpr std::size_t kMaxMxHosts = 100;
inline constexpr std::size_t kMaxAddresses = 16;
inline constexpr std::size_t kMaxSiteName = 160;

// What this node refuses to send to. Made once from the configuration, outlives every lookup.
struct RoutingRules {
    std::vector<core::IpNetwork> prohibited;     // [delivery] prohibited_hosts
    std::vector<std::string> own_names;          // in any case
    std::vector<core::IpAddress> own_addresses;  // public addresses that lead back to us
    bool address_literals = false;               // user@[192.0.2.1] is sent there
};

enum class FailureKind : std::uint8_t {
    bad_domain,      // 550 5.1.2: not a domain name, or an address literal where they are refused
    no_such_domain,  // 550 5.1.2
    null_mx,         // 556 5.1.10 (RFC 7505)
    unusable,        // 550 5.4.4: no MX names a usable host, or a host has no address
    prohibited,      // 550 5.4.4: only addresses that rules forbid
    own_host,        // 554 5.4.6: mail would loop back to us
    no_service,      // 451 4.4.4: the SRV records of a route name no host (dns/srv.h)
    temporary,       // 451 4.4.3: DNS did not answer; never a reason to give up before max_age
};

// What a kind is as a reply of SMTP: its code, and the enhanced status code (RFC 3463) that begins
// with the same digit.
struct FailureCodes {
    std::uint16_t reply;
    std::uint16_t subject;
    std::uint16_t detail;
    std::uint8_t klass() const { return static_cast<std::uint8_t>(reply / 100); }
};
FailureCodes codes_of(FailureKind kind);

struct RouteFailure {
    FailureKind kind = FailureKind::temporary;
    std::string text;
    std::chrono::seconds ttl{0};  // how long this holds; asking sooner gives the same
    bool permanent() const { return codes_of(kind).klass() == 5; }
};

struct MxGroup {
    std::uint16_t preference = 0;
    std::vector<std::string> hosts;  // sorted; equals in rank: see delivery_order()
};

struct MxPlan {
    std::string domain;           // as looked up: lower case, A-labels, without trailing dot
    std::string canonical_name;   // where its aliases lead; the domain itself if it is none
    std::string site;             // name of the host set, the same for every domain that shares it
    std::vector<MxGroup> groups;  // best preference first; never empty, no host twice
    std::chrono::seconds ttl{0};
    bool implicit = false;       // there is no MX: the domain is its own host
    bool literal = false;        // the domain is an address, and so is its only host
    bool authenticated = false;  // the MX answer was validated (DNSSEC) by a resolver we trust
};

using MxResult = std::expected<MxPlan, RouteFailure>;

core::Task<MxResult> resolve_mx(Resolver& resolver, std::string domain, const RoutingRules& rules);

// The order in which one connection tries the hosts: by preference, equals shuffled each time.
std::vector<std::string> delivery_order(const MxPlan& plan, core::Prng& prng);

// Sorted, common domain factored out: "(mx1|mx2).example.com", "(alt1|alt2)?.in.example.com". Sets
// that differ have names that differ; beyond kMaxSiteName the name is cut and ends in a SHA-256.
std::string site_name(std::vector<std::string> hosts);

enum class AddressFamilies : std::uint8_t { v4_then_v6, v6_then_v4, v4_only, v6_only };

struct HostAddresses {
    std::string host;
    std::string canonical_name;              // differs when the host is an alias (RFC 2181 10.3)
    std::vector<core::IpAddress> addresses;  // families alternate, resolver's order within one
    std::chrono::seconds ttl{0};
    bool authenticated = false;  // every answer that came; lookups that failed do not count
};

using AddressResult = std::expected<HostAddresses, RouteFailure>;

core::Task<AddressResult> resolve_addresses(Resolver& resolver, std::string host,
                                            const RoutingRules& rules,
                                            AddressFamilies families = AddressFamilies::v4_then_v6);

// Combines the failures of two hosts of one plan: temporary wins, otherwise the first stands.
RouteFailure merge(RouteFailure first, RouteFailure second);

}  // namespace dns
