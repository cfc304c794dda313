// ShapingLimits: the limits of one path, as values. Where they come from, in rising order: the
// built-in values below, [shaping] default of the configuration, ["default"] of the shaping files,
// the table of the domain (relay/shaping/policy.h). Pure. Every limit is at least 1; none means
// "unlimited".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "core/base/units.h"
#include "relay/shaping/tls_policy.h"

namespace relay {

struct ShapingLimits {
    std::uint32_t connection_limit = 10;  // connections open at once
    std::uint32_t max_deliveries_per_connection = 100;
    core::Rate max_message_rate{100, std::chrono::seconds(1)};
    core::Rate max_connection_rate{100, std::chrono::minutes(1)};
    std::optional<TlsPolicy> tls{};  // without: as the route or [delivery] says
    bool operator==(const ShapingLimits&) const = default;
};

// Largest values that make sense; beyond them a configuration is refused as a mistake.
inline constexpr std::uint32_t kMostConnectionsPerPath = 100'000;
inline constexpr std::uint32_t kMostDeliveriesPerConnection = 1'000'000'000;

}  // namespace relay
