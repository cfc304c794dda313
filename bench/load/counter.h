// Counter: a number that one thread adds to and any thread reads; no locked instruction.
// One writer each; a reader sees a value that was true a moment ago.
#pragma once

#include <atomic>
#include <cstdint>

namespace bench {

class Counter {
  public:
    void add(std::uint64_t n = 1) {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
    std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

}  // namespace bench
