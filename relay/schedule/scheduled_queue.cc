#include "relay/schedule/scheduled_queue.h"

#include <utility>

#include "core/runtime/slices.h"

namespace relay {

ScheduledQueue::ScheduledQueue(core::Reactor& reactor, std::function<void(Recipient&)> due)
    : reactor_(reactor), due_(std::move(due)), alarm_(*this) {}

ScheduledQueue::~ScheduledQueue() {
    PH_ASSERT(size_ == 0 && !alarm_.armed());
}

void ScheduledQueue::add(Recipient& recipient, core::Duration delay) {
    const core::Instant due = reactor_.now() + delay;
    slots_[due.time_since_epoch() / kSlot + 1].push_back(recipient);
    ++size_;
    arm();
}

void ScheduledQueue::arm() {
    if (slots_.empty()) return;
    const core::Instant first{slots_.begin()->first * kSlot};
    if (alarm_.armed()) {
        if (alarm_.deadline() <= first) return;
        reactor_.timers().disarm(alarm_);
    }
    reactor_.timers().arm(alarm_, first);
}

void ScheduledQueue::ring() {
    core::SliceCount slice;
    while (!slots_.empty() && core::Instant{slots_.begin()->first * kSlot} <= reactor_.now()) {
        List& due = slots_.begin()->second;
        Recipient& recipient = due.pop_front();
        if (due.empty()) slots_.erase(slots_.begin());
        --size_;
        due_(recipient);
        if (slice.full()) break;  // arm(): due at once, in the next turn
    }
    arm();
}

// What is aside is late by the rest of the walk at most, which begins with what is due next.
core::Task<void> ScheduledQueue::sift(std::function<Sifted(Recipient&)> visit) {
    std::map<std::int64_t, List> aside = std::exchange(slots_, {});
    core::Slices slices(reactor_);
    while (!aside.empty()) {
        const std::int64_t slot = aside.begin()->first;
        Recipient& recipient = aside.begin()->second.pop_front();
        const Sifted answer = visit(recipient);
        if (answer == Sifted::taken) {
            --size_;
        } else {
            slots_[slot].push_back(recipient);
        }
        if (answer == Sifted::stop) slots_[slot].splice_back(aside.begin()->second);
        if (aside.begin()->second.empty()) aside.erase(aside.begin());
        if (answer == Sifted::stop) break;
        arm();
        co_await slices.next();
    }
    while (!aside.empty()) {
        slots_[aside.begin()->first].splice_back(aside.begin()->second);
        aside.erase(aside.begin());
        co_await slices.next();
    }
    arm();
}

core::Task<void> ScheduledQueue::clear(std::function<void(Recipient&)> visit) {
    if (alarm_.armed()) reactor_.timers().disarm(alarm_);
    core::Slices slices(reactor_);
    while (!slots_.empty()) {
        List& list = slots_.begin()->second;
        Recipient& recipient = list.pop_front();
        if (list.empty()) slots_.erase(slots_.begin());
        --size_;
        visit(recipient);
        co_await slices.next();
    }
}

}  // namespace relay
