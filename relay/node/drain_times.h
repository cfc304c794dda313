// How long a shard takes to stop, at most. Where others accept from our sockets by now, clients
// have kLeaveGrace to finish; what is ready has kDrainGrace to be delivered; then connections
// finish what is in flight, for cut_off(). The last two come to 30 s, with seven million recipients
// too. Pure.
#pragma once

#include <chrono>
#include <cstdint>

#include "core/base/time.h"

namespace relay {

inline constexpr core::Duration kLeaveGrace = std::chrono::seconds{5};
inline constexpr core::Duration kDrainGrace = std::chrono::seconds{20};
// All of it comes to 30 s, so the time that it takes to forget what waits comes off the second.
inline constexpr core::Duration kCutOff = std::chrono::seconds{10};
inline constexpr core::Duration kForgetMillion = std::chrono::seconds{1};
inline constexpr core::Duration kLeastCutOff = std::chrono::seconds{3};

constexpr core::Duration cut_off(std::uint64_t recipients) {
    const core::Duration forgetting = kForgetMillion / 1000 * (recipients / 1000);
    return forgetting > kCutOff - kLeastCutOff ? kLeastCutOff : kCutOff - forgetting;
}

}  // namespace relay
