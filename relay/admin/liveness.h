// Liveness: whether every shard's loop still turns. Each shard stamps its own place once a second
// from a coroutine on its loop; any shard may ask. A loop that has not stamped for kStall is stuck:
// blocked, or in an endless computation. Created before the shards, outlives them. Places are one
// cache line each and written by their shard only.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"

namespace relay {

class Liveness {
  public:
    static constexpr core::Duration kTick = std::chrono::seconds{1};
    static constexpr core::Duration kStall = std::chrono::seconds{15};

    explicit Liveness(std::size_t shards) : places_(shards) {}

    void stamp(std::size_t shard, core::Instant now);
    // Empty when all is well, else a sentence that names the shards.
    std::string complaint(core::Instant now) const;
    // Stamps from this shard's loop until stop is set. One task per shard.
    core::Task<void> keep_stamping(core::Shard* shard, core::Event* stop);

  private:
    struct alignas(64) Place {
        std::atomic<std::int64_t> stamped{-1};  // nanoseconds of the monotonic clock; -1: never yet
    };
    std::vector<Place> places_;
};

}  // namespace relay
