#include "core/runtime/event.h"

namespace core {

void Event::Waiter::await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    event_.waiters_.push_back(*this);
    if (deadline_ != kNever) event_.reactor_.timers().arm(*this, deadline_);
}

void Event::Waiter::expire() {
    IntrusiveList<Waiter, EventWaiterTag>::remove(*this);
    event_.reactor_.schedule(handle_);
}

void Event::release(Waiter& waiter) {
    IntrusiveList<Waiter, EventWaiterTag>::remove(waiter);
    if (waiter.armed()) reactor_.timers().disarm(waiter);
    waiter.signalled_ = true;
    reactor_.schedule(waiter.handle_);
}

void Event::set() {
    set_ = true;
    notify_all();
}

void Event::notify_one() {
    if (!waiters_.empty()) release(waiters_.front());
}

void Event::notify_all() {
    while (!waiters_.empty())
        release(waiters_.front());
}

}  // namespace core
