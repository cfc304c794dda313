// Reactor: one shard's loop. Each turn runs the ready coroutines, expires timers, then lets the
// event source submit what was queued and reap what completed: one kernel entry per turn.
// A completion never runs user code in place: it schedules a coroutine.
// Owned by its shard; everything here is called on that shard's thread, but for wake().
// Limits: the ready queue holds at most one entry per living coroutine; a turn runs at most
// kTurnBudget of them before it looks at I/O again, so no coroutine can starve the sockets.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "core/runtime/clock.h"
#include "core/runtime/timer_set.h"

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

// The shard's end of the mail between shards: drained and flushed once per turn.
class Inbox {
  public:
    virtual ~Inbox() = default;
    // Takes what arrived; true when there was something.
    virtual bool drain() = 0;
    // Before the loop waits: hands over what was sent this turn and wakes its receivers.
    virtual void flush() = 0;
    // Announces the intent to sleep; false when something arrived meanwhile, so do not sleep.
    virtual bool prepare_to_sleep() = 0;
    virtual void woke_up() = 0;
};

struct ReactorStats {
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

    void set_inbox(Inbox* inbox) { inbox_ = inbox; }

    // One turn. With may_block false it only polls. Returns whether it found anything to do.
    bool turn(bool may_block);
    // Turns until stop() is called; the caller has closed its task groups by then.
    void run();
    void stop();

    bool has_ready() const { return !ready_.empty(); }
    const ReactorStats& stats() const { return stats_; }

  private:
    static constexpr std::size_t kTurnBudget = 4096;
    std::size_t run_ready();

    const Clock& clock_;
    EventSource& source_;
    Inbox* inbox_ = nullptr;
    Instant now_;
    TimerSet timers_;
    std::deque<std::coroutine_handle<>> ready_;
    ReactorStats stats_;
    bool stopping_ = false;
};

}  // namespace core
