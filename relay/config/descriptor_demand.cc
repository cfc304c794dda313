#include "relay/config/descriptor_demand.h"

#include <algorithm>
#include <set>
#include <string_view>

#include <sys/resource.h>

#include "core/io/descriptors.h"

namespace relay {

namespace {

// Of these connections alone: they have three quarters of the room.
std::size_t room_for(std::size_t connections) {
    return (connections * 4 + 2) / 3;
}

}  // namespace

std::size_t DescriptorDemand::limit() const {
    return kept + std::max({inbound + outbound, room_for(inbound), room_for(outbound)});
}

std::size_t estimated_open(const Config& config, std::size_t shards) {
    std::size_t open = kOpenAtStart + kOpenPerShard * shards;
    for (const ListenerConfig& listener : config.listeners)
        open += 2 * listener.addresses.size() * shards;  // and each once more for the next process
    return open;
}

DescriptorDemand descriptor_demand(const Config& config, const ShapingPolicy& shaping,
                                   std::size_t shards, std::size_t open) {
    DescriptorDemand demand;
    demand.kept = open + core::Descriptors::kReserve +
                  core::Descriptors::kReservePerShard * shards + core::Descriptors::kFarewells;
    for (const ListenerConfig& listener : config.listeners)
        demand.inbound += listener.max_connections;
    bool by_mx = true;
    std::set<std::string_view> seen;
    for (const RouteConfig& route : config.routes) {
        by_mx = by_mx && route.domain != "*";
        if (route.hosts.empty() || !seen.insert(route.hosts.front().host).second) continue;
        const std::string_view host = route.hosts.front().host;
        demand.outbound +=
            shaping.limits_for(shaping.table_for(route.domain, host)).connection_limit;
    }
    if (by_mx) demand.outbound += config.shaping.defaults.connection_limit;
    return demand;
}

std::optional<std::string> descriptor_complaint(const DescriptorDemand& demand, std::size_t limit) {
    const std::size_t needed = demand.limit();
    if (limit >= needed) return std::nullopt;
    return "the limit of file descriptors (RLIMIT_NOFILE) is " + std::to_string(limit) +
           ", and the configuration may use " + std::to_string(needed) + ": " +
           std::to_string(demand.inbound) + " connections of clients (max_connections), " +
           std::to_string(demand.outbound) + " to servers (connection_limit), " +
           std::to_string(demand.kept) +
           " for files; of the room for connections neither side gets more than three quarters. "
           "Write LimitNOFILE=" +
           std::to_string(needed) + " or more in the unit (systemd), or lower those keys";
}

std::size_t descriptors_allowed() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    return static_cast<std::size_t>(limit.rlim_max);
}

}  // namespace relay
