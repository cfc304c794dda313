// DescriptorDemand: how many file descriptors a configuration may use, and whether the limit of the
// process (RLIMIT_NOFILE) has room for them. `posthaste check` asks with an estimate of what is
// open beside connections, `serve` with the count, once it listens. Pure, but for
// descriptors_allowed().
// What counts: max_connections of every listener; connection_limit of every host that a route
// names, and once that of [shaping] default where mail goes out by MX, since nobody knows how many
// sites there will be; what core/io/descriptors.h keeps back, and its shares: three quarters of
// the room for those who come, three quarters for those whom we call.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "relay/config/config.h"
#include "relay/shaping/policy.h"

namespace relay {

struct DescriptorDemand {
    std::size_t inbound = 0;   // connections
    std::size_t outbound = 0;  // connections
    std::size_t kept = 0;      // files, name servers and what else never waits

    // The smallest limit with room for all of it.
    std::size_t limit() const;
};

// Beside connections and listening sockets: the log, the spool, the rings. Estimated.
inline constexpr std::size_t kOpenAtStart = 16;
inline constexpr std::size_t kOpenPerShard = 8;
std::size_t estimated_open(const Config& config, std::size_t shards);

DescriptorDemand descriptor_demand(const Config& config, const ShapingPolicy& shaping,
                                   std::size_t shards, std::size_t open);

// A sentence for the log or for `check` when the limit is below what the demand needs.
std::optional<std::string> descriptor_complaint(const DescriptorDemand& demand, std::size_t limit);

// What `serve` raises its limit to: the hard one.
std::size_t descriptors_allowed();

}  // namespace relay
