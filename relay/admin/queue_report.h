// QueueReport: why mail waits, as one line of the log a minute: how much waits for what, how old
// the oldest is, what became of attempts since the last line, and what held them back. The counters
// of all shards are read, and the sites that hold up most (largest_sites.h); the log of each shard
// names further sites and reasons (core/runtime/shard_log.h). Nothing is said while everything that
// is queued is young and has not been deferred. Owned by one shard, which calls line() once a
// minute.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/base/time.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"
#include "metrics/shard_metrics.h"
#include "relay/path/largest_sites.h"

namespace relay {

inline constexpr core::Duration kReportQueueEvery = std::chrono::minutes(1);

class QueueReport {
  public:
    // None: nothing waits for longer than it should.
    std::optional<std::string> line(std::span<const metrics::ShardMetrics* const> shards,
                                    std::span<const LargestSites* const> largest,
                                    core::WallTime now);

  private:
    struct Totals {
        std::int64_t scheduled = 0;
        std::int64_t suspended = 0;  // of these
        std::int64_t ready = 0;
        std::int64_t in_flight = 0;
        core::WallTime oldest{};  // none: WallTime{}
        std::uint64_t delivered = 0;
        std::uint64_t deferred = 0;
        std::uint64_t bounced = 0;
        std::uint64_t expired = 0;
        std::uint64_t connects_failed = 0;
        std::uint64_t lookups_failed = 0;
        std::uint64_t by_message_rate = 0;
        std::uint64_t by_connection_rate = 0;
        std::uint64_t by_connection_limit = 0;
    };
    static Totals read(std::span<const metrics::ShardMetrics* const> shards);

    Totals before_;
};

// Logs it until stop is set. The arguments outlive it.
core::Task<void> report_queue(std::span<const metrics::ShardMetrics* const> shards,
                              std::span<const LargestSites* const> largest, core::Shard* shard,
                              core::Event* stop);

}  // namespace relay
