// Event: coroutines wait until it is set. Every wait can have a deadline.
// Auto-reset is not offered: set() releases all present and future waiters until reset();
// notify_all() releases the present ones only. Lives on one shard and must outlive its waiters.
#pragma once

#include <coroutine>

#include "core/base/intrusive_list.h"
#include "core/runtime/clock.h"
#include "core/runtime/reactor.h"
#include "core/runtime/timer_set.h"

namespace core {

struct EventWaiterTag;

class Event {
  public:
    explicit Event(Reactor& reactor) : reactor_(reactor) {}

    class Waiter final : public ListLink<EventWaiterTag>, public Timer {
      public:
        Waiter(Event& event, Instant deadline) : event_(event), deadline_(deadline) {}
        bool await_ready() const noexcept { return event_.set_; }
        void await_suspend(std::coroutine_handle<> handle);
        // True when the event happened, false when the deadline passed first.
        bool await_resume() noexcept { return signalled_ || event_.set_; }
        void expire() override;

      private:
        friend class Event;
        Event& event_;
        Instant deadline_;
        std::coroutine_handle<> handle_;
        bool signalled_ = false;
    };

    // Use: bool happened = co_await event.wait(deadline);
    Waiter wait(Instant deadline = kNever) { return {*this, deadline}; }

    bool is_set() const { return set_; }
    bool has_waiters() { return !waiters_.empty(); }
    void set();
    void reset() { set_ = false; }
    void notify_one();
    void notify_all();

  private:
    void release(Waiter& waiter);

    Reactor& reactor_;
    bool set_ = false;
    IntrusiveList<Waiter, EventWaiterTag> waiters_;
};

}  // namespace core
