// Counter and Gauge: one number each, written by one shard only and read by whoever scrapes. A
// write is a relaxed load and store, no locked instruction; a reader sees a value that was true a
// moment ago. Never shared by two writers: each shard has its own and exposition sums them.
// Counters wrap after 2^64; gauges may be negative on one shard where only the sum over the shards
// means something.
#pragma once

#include <atomic>
#include <cstdint>

namespace metrics {

class Counter {
  public:
    void add(std::uint64_t n = 1) { set(value() + n); }
    // For numbers that are counted elsewhere on the shard and only published here.
    void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

class Gauge {
  public:
    void add(std::int64_t n = 1) { set(value() + n); }
    void subtract(std::int64_t n = 1) { set(value() - n); }
    void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
    std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::int64_t> value_{0};
};

}  // namespace metrics
