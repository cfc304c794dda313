// TimerSet: timers in O(1) to arm and disarm, whatever their number. A radix structure after
// Seastar's idea: a timer sits in the bucket numbered by the highest bit in which its deadline
// differs from the time of the last expiry, so only the lowest buckets are ever looked into and a
// timer moves down at most once per bit of its distance. Most timers here are disarmed unexpired.
// One shard owns it. A Timer is owned by its user, is armed at most once, and must be disarmed
// before it dies (asserted). Resolution: 1 ms (2^20 ns), never early.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/intrusive_list.h"
#include "core/runtime/clock.h"

namespace core {

struct TimerTag;

class Timer : public ListLink<TimerTag> {
  public:
    virtual ~Timer() = default;
    // Called from the reactor's turn, disarmed already; may arm itself again.
    virtual void expire() = 0;
    bool armed() const { return ListLink<TimerTag>::linked(); }
    Instant deadline() const { return deadline_; }

  private:
    friend class TimerSet;
    Instant deadline_{};
    std::uint64_t tick_ = 0;
    std::size_t bucket_ = 0;
};

class TimerSet {
  public:
    void arm(Timer& timer, Instant deadline);
    void disarm(Timer& timer);
    // Runs every timer whose deadline is at or before now; returns how many ran.
    std::size_t expire(Instant now);
    // The same in steps: finds those that are due, which stay armed until they are taken, one by
    // one, disarmed. Null: none is left.
    void collect(Instant now);
    Timer* take_due();
    // A moment not later than the next deadline (exact for the nearest bucket), or kNever.
    Instant next() const;
    std::size_t size() const { return size_; }

  private:
    static constexpr int kTickShift = 20;
    static constexpr std::size_t kBuckets = 65;  // 64 bits of difference, and none
    std::size_t bucket_of(std::uint64_t tick) const;
    void insert(Timer& timer);

    std::array<IntrusiveList<Timer, TimerTag>, kBuckets> buckets_;
    IntrusiveList<Timer, TimerTag> due_;
    std::uint64_t last_ = 0;
    std::uint64_t occupied_ = 0;  // bit i: bucket i+1 has timers; bucket 0 is looked into always
    std::size_t size_ = 0;
};

}  // namespace core
