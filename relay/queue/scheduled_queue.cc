#include "relay/queue/scheduled_queue.h"

#include <utility>

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
    while (!slots_.empty() && core::Instant{slots_.begin()->first * kSlot} <= reactor_.now()) {
        List due;
        due.splice_back(slots_.begin()->second);
        slots_.erase(slots_.begin());
        while (!due.empty()) {
            --size_;
            due_(due.pop_front());
        }
    }
    arm();
}

void ScheduledQueue::clear(const std::function<void(Recipient&)>& visit) {
    if (alarm_.armed()) reactor_.timers().disarm(alarm_);
    for (auto& [slot, list] : slots_) {
        while (!list.empty()) {
            --size_;
            visit(list.pop_front());
        }
    }
    slots_.clear();
}

}  // namespace relay
