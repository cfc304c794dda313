// LatencyHistogram: counts durations in buckets of at most 3 % width (32 steps per power of two),
// so that a percentile of millions of messages costs 16 KiB. One thread adds; merge() after the
// threads.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "core/base/time.h"

namespace bench {

class LatencyHistogram {
  public:
    void add(core::Duration duration) {
        const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
        ++buckets_[index(ns)];
        ++count_;
        largest_ = std::max(largest_, ns);
    }
    void merge(const LatencyHistogram& other) {
        for (std::size_t i = 0; i < kBuckets; ++i)
            buckets_[i] += other.buckets_[i];
        count_ += other.count_;
        largest_ = std::max(largest_, other.largest_);
    }
    // Upper end of the bucket that holds the quantile, in milliseconds.
    double milliseconds(double quantile) const {
        const auto wanted = static_cast<std::uint64_t>(static_cast<double>(count_) * quantile);
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < kBuckets; ++i) {
            seen += buckets_[i];
            if (seen > wanted) return static_cast<double>(std::min(upper(i), largest_)) / 1e6;
        }
        return static_cast<double>(largest_) / 1e6;
    }
    std::uint64_t count() const { return count_; }

  private:
    static constexpr unsigned kStepBits = 5;
    static constexpr std::size_t kBuckets = (64 - kStepBits + 1) << kStepBits;
    static std::size_t index(std::uint64_t ns) {
        if (ns < (1U << kStepBits)) return ns;
        const unsigned shift = static_cast<unsigned>(std::bit_width(ns)) - kStepBits - 1;
        return (std::size_t{shift} << kStepBits) + (ns >> shift);
    }
    static std::uint64_t upper(std::size_t i) {
        if (i < (2U << kStepBits)) return i;
        const std::size_t shift = (i >> kStepBits) - 1;
        return (((i & ((1U << kStepBits) - 1)) + (1U << kStepBits) + 1) << shift) - 1;
    }

    std::array<std::uint64_t, kBuckets> buckets_{};
    std::uint64_t count_ = 0;
    std::uint64_t largest_ = 0;
};

}  // namespace bench
