// Histogram: how often a duration fell into each of a fixed row of buckets, and the sum. Written by
// one shard, read by whoever scrapes, like metrics/counter.h. Buckets are upper bounds, ascending;
// what exceeds the last is counted in one more. Reads are not one snapshot: a scrape may see an
// observation in its bucket and not yet in the sum.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "core/base/time.h"
#include "metrics/counter.h"

namespace metrics {

// From a message that passes at once to one that waits for days.
inline constexpr std::array<core::Duration, 20> kDeliveryBuckets{std::chrono::milliseconds(5),
                                                                 std::chrono::milliseconds(10),
                                                                 std::chrono::milliseconds(25),
                                                                 std::chrono::milliseconds(50),
                                                                 std::chrono::milliseconds(100),
                                                                 std::chrono::milliseconds(250),
                                                                 std::chrono::milliseconds(500),
                                                                 std::chrono::seconds(1),
                                                                 std::chrono::milliseconds(2500),
                                                                 std::chrono::seconds(5),
                                                                 std::chrono::seconds(10),
                                                                 std::chrono::seconds(30),
                                                                 std::chrono::minutes(1),
                                                                 std::chrono::minutes(5),
                                                                 std::chrono::minutes(15),
                                                                 std::chrono::hours(1),
                                                                 std::chrono::hours(4),
                                                                 std::chrono::hours(12),
                                                                 std::chrono::days(1),
                                                                 std::chrono::days(5)};

// From a fast disk to one that stalls.
inline constexpr std::array<core::Duration, 14> kCommitBuckets{
    std::chrono::microseconds(100),  std::chrono::microseconds(200),
    std::chrono::microseconds(400),  std::chrono::microseconds(800),
    std::chrono::microseconds(1600), std::chrono::microseconds(3200),
    std::chrono::microseconds(6400), std::chrono::microseconds(12800),
    std::chrono::milliseconds(25),   std::chrono::milliseconds(50),
    std::chrono::milliseconds(100),  std::chrono::milliseconds(400),
    std::chrono::seconds(1),         std::chrono::seconds(5)};

template <const auto& kBounds>
class Histogram {
  public:
    static constexpr std::size_t kBuckets = kBounds.size();
    static constexpr const auto& bounds() { return kBounds; }

    // Negative durations (a wall clock that was set back) count as zero.
    void observe(core::Duration duration) {
        duration = std::max(duration, core::Duration::zero());
        const auto place = std::ranges::lower_bound(kBounds, duration);
        counts_[static_cast<std::size_t>(place - kBounds.begin())].add();
        sum_nanoseconds_.add(static_cast<std::uint64_t>(duration.count()));
    }

    // Index kBuckets: beyond the last bound. Not cumulative.
    std::uint64_t count(std::size_t bucket) const { return counts_[bucket].value(); }
    double sum_seconds() const { return static_cast<double>(sum_nanoseconds_.value()) * 1e-9; }

  private:
    std::array<Counter, kBuckets + 1> counts_;
    Counter sum_nanoseconds_;
};

using DeliveryHistogram = Histogram<kDeliveryBuckets>;
using CommitHistogram = Histogram<kCommitBuckets>;

}  // namespace metrics
