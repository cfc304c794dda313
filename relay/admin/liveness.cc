#include "relay/admin/liveness.h"

#include <spdlog/fmt/fmt.h>

#include "core/base/assert.h"

namespace relay {

void Liveness::stamp(std::size_t shard, core::Instant now) {
    PH_ASSERT(shard < places_.size());
    places_[shard].stamped.store(now.time_since_epoch().count(), std::memory_order_relaxed);
}

std::string Liveness::complaint(core::Instant now) const {
    std::string stuck;
    for (std::size_t i = 0; i < places_.size(); ++i) {
        const std::int64_t stamped = places_[i].stamped.load(std::memory_order_relaxed);
        const core::Duration age = now.time_since_epoch() - core::Duration{stamped};
        if (stamped >= 0 && age <= kStall) continue;
        if (!stuck.empty()) stuck += "; ";
        if (stamped < 0) {
            stuck += fmt::format("shard {} has not started", i);
        } else {
            const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age);
            stuck +=
                fmt::format("the loop of shard {} has not turned for {} s", i, seconds.count());
        }
    }
    return stuck;
}

core::Task<void> Liveness::keep_stamping(core::Shard* shard, core::Event* stop) {
    bool stopped = false;
    while (!stopped) {
        stamp(shard->id(), shard->now());
        stopped = co_await stop->wait(shard->now() + kTick);
    }
}

}  // namespace relay
