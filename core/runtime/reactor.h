// Reactor: one shard's loop. Each turn runs the ready coroutines, expires timers, then lets the
// event source submit what was queued and reap what completed: one kernel entry per turn.
// A completion never runs user code in place: it schedules a coroutine.
// Owned by its shard; everything here is called on that shard's thread, but for wake().
// Limits: the ready queue holds at most one entry per living coroutine. A turn begins no further
// step (coroutine, timer, letter) after kTurnTime or kTurnBudget coroutines, so that none of them
// can starve the sockets; what is left comes first in the next turn. That a single step is short
// is up to the step: TurnWatchdog.
#pragma once

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "core/runtime/clock.h"
#include "core/runtime/timer_set.h"
#include "core/runtime/turn_watchdog.h"

namespace core {

// What the loop waits on: io_uring, or the simulation.
class EventSource {
  public:
    virtual ~EventSource() = default;
    // Submits everything queued; reaps completions. Blocks until something completes, `until`
    // passes or wake() is called; does not block when until is in the past.
    virtual void wait(Instant until) = 0;
    // Ends a present or future wait(). The only call allowed from other threads.
    virtual void wake() = 0;
};

// The time that is left of a turn. Looks at the clock now and then only.
class TurnTime {
  public:
    TurnTime(const Clock& clock, Duration time) : clock_(clock), end_(clock.now() + time) {}
    bool over() {
        if (over_ || ++steps_ % kLookEvery != 0) return over_;
        return over_ = clock_.now() >= end_;
    }

  private:
    static constexpr unsigned kLookEvery = 16;
    const Clock& clock_;
    const Instant end_;
    unsigned steps_ = 0;
    bool over_ = false;
};

// The shard's end of the mail between shards: drained and flushed once per turn.
class Inbox {
  public:
    virtual ~Inbox() = default;
    // Takes what arrived, while there is time; true when there was something.
    virtual bool drain(TurnTime& time, TurnWatchdog& watchdog) = 0;
    // Before the loop waits: hands over what was sent this turn and wakes its receivers.
    virtual void flush() = 0;
    // Announces the intent to sleep; false when something arrived meanwhile, so do not sleep.
    virtual bool prepare_to_sleep() = 0;
    virtual void woke_up() = 0;
};

// Upper bounds of the buckets that the lengths of turns are counted in; one more for the rest.
inline constexpr std::array kTurnBounds{
    Duration{std::chrono::microseconds{100}}, Duration{std::chrono::microseconds{500}},
    Duration{std::chrono::milliseconds{1}},   Duration{std::chrono::milliseconds{2}},
    Duration{std::chrono::milliseconds{5}},   Duration{std::chrono::milliseconds{10}},
    Duration{std::chrono::milliseconds{20}},  Duration{std::chrono::milliseconds{50}},
    Duration{std::chrono::milliseconds{100}}, Duration{std::chrono::milliseconds{500}},
    Duration{std::chrono::seconds{2}}};

struct ReactorStats {
    std::array<std::uint64_t, kTurnBounds.size() + 1> turns_by_length{};
    std::uint64_t turns = 0;
    std::uint64_t resumed = 0;
    std::uint64_t busy_ns = 0;
    std::uint64_t idle_ns = 0;
    std::uint64_t longest_turn_ns = 0;
};

class Reactor {
  public:
    Reactor(const Clock& clock, EventSource& source)
        : clock_(clock), source_(source), now_(clock.now()) {}

    // The time of this turn: cheap, up to one turn old.
    Instant now() const { return now_; }
    WallTime wall() const { return clock_.wall(); }
    TimerSet& timers() { return timers_; }

    // Resumes the coroutine in this or the next turn.
    void schedule(std::coroutine_handle<> handle) { ready_.push_back(handle); }
    // Resumes it in the next turn, after the sockets were looked at.
    void schedule_next(std::coroutine_handle<> handle) { next_.push_back(handle); }

    void set_inbox(Inbox* inbox) { inbox_ = inbox; }

    // One turn. With may_block false it only polls. Returns whether it found anything to do.
    bool turn(bool may_block);
    // Turns until stop() is called; the caller has closed its task groups by then.
    void run();
    void stop();

    bool has_ready() const { return !ready_.empty() || !next_.empty(); }
    // The step that runs now may take long: nobody is served yet, or any more.
    void excuse_step() { watchdog_.excuse(); }
    const ReactorStats& stats() const { return stats_; }

    static constexpr std::size_t kTurnBudget = 4096;
    static constexpr Duration kTurnTime = std::chrono::milliseconds{4};

  private:
    std::size_t expire_timers(TurnTime& time);
    std::size_t run_ready(TurnTime& time);
    void count_turn(Duration busy);

    const Clock& clock_;
    EventSource& source_;
    Inbox* inbox_ = nullptr;
    Instant now_;
    TimerSet timers_;
    std::deque<std::coroutine_handle<>> ready_;
    std::vector<std::coroutine_handle<>> next_;
    TurnWatchdog watchdog_;
    ReactorStats stats_;
    bool stopping_ = false;
};

}  // namespace core
