// Service records (RFC 2782) for the hosts that a [[route]] names by "srv:". Mail by MX never asks
// for them (RFC 5321 section 5.1 knows MX and addresses only). Functions over a Resolver; they keep
// no state and run on the caller's shard.
//
// A failure is always temporary: who named the service is the operator, and mail waits until it is
// there again. Without SRV records the domain itself is no host, as the name was meant to be one of
// a service. Limits: kMaxServiceHosts hosts (the best priorities are kept), kMaxAliases CNAMEs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "core/base/prng.h"
#include "core/runtime/task.h"
#include "dns/mx.h"

namespace dns {

inline constexpr std::size_t kMaxServiceHosts = 100;

struct ServiceHost {
    std::string host;
    std::uint16_t port = 0;
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    bool operator==(const ServiceHost&) const = default;
};

struct ServicePlan {
    std::vector<ServiceHost> hosts;  // best priority first; never empty
    std::chrono::seconds ttl{0};
    bool authenticated = false;  // the answer was validated (DNSSEC) by a resolver we trust
};

using ServiceResult = std::expected<ServicePlan, RouteFailure>;

// service: "_submissions._tcp.example.org".
core::Task<ServiceResult> resolve_service(Resolver& resolver, std::string service);

// The order in which one connection tries the hosts: by priority, within one drawn by weight, again
// each time.
std::vector<ServiceHost> service_order(const ServicePlan& plan, core::Prng& prng);

// "example.org" of "_submissions._tcp.example.org": whose service it is.
std::string_view service_domain(std::string_view service);

}  // namespace dns
