#include "dns/lookup_lanes.h"

#include "core/base/assert.h"

namespace dns {

LookupLanes::LookupLanes(core::Reactor& reactor, LaneLimits limits)
    : reactor_(reactor), limits_(limits) {
    PH_ASSERT(limits_.places > 0 && limits_.slow > 0);
}

LookupLanes::~LookupLanes() {
    PH_ASSERT(young_ == 0 && lingering_ == 0 && slow_ == 0);
}

core::Task<bool> LookupLanes::wait_in(Waiters* line) {
    Waiter waiter(reactor_);
    line->push_back(waiter);
    ++delayed_;
    co_await waiter.come.wait();
    co_return waiter.granted;
}

// ---- the fast lane

core::Task<bool> LookupLanes::take_fast(Seat* seat, RecordType type) {
    if (stopped_) co_return false;
    if (young_ < limits_.places) {
        ++young_;
    } else {
        if (waiting_ >= limits_.waiting) co_return false;
        ++waiting_;
        // The place is handed over: young_ does not fall in between, so a newcomer cannot take it.
        const bool granted = co_await wait_in(type == RecordType::mx ? &line_for_mx_ : &line_);
        --waiting_;
        if (!granted) co_return false;
    }
    reactor_.timers().arm(*seat, reactor_.now() + kYoung);
    co_return true;
}

void LookupLanes::grow_old(Seat& seat) {
    if (lingering_ >= limits_.lingering) return overdue_.push_back(seat);
    let_linger(seat);
    hand_on();
}

void LookupLanes::let_linger(Seat& seat) {
    seat.lingers_ = true;
    ++lingering_;
}

void LookupLanes::leave_fast(Seat& seat) {
    if (seat.armed()) reactor_.timers().disarm(seat);
    if (seat.lingers_) {
        --lingering_;
        if (overdue_.empty()) return;
        let_linger(overdue_.pop_front());
    } else if (static_cast<core::ListLink<SeatTag>&>(seat).linked()) {
        core::IntrusiveList<Seat, SeatTag>::remove(seat);
    }
    hand_on();
}

void LookupLanes::hand_on() {
    const bool mx_first = ++handed_on_ % kMxTurn == 0;
    Waiters& first = mx_first ? line_for_mx_ : line_;
    Waiters& second = mx_first ? line_ : line_for_mx_;
    if (!first.empty()) return grant(first);
    if (!second.empty()) return grant(second);
    --young_;
}

void LookupLanes::grant(Waiters& line) {
    Waiter& waiter = line.pop_front();
    waiter.granted = true;
    waiter.come.set();
}

// ---- the slow lane

core::Task<bool> LookupLanes::take_slow() {
    if (stopped_) co_return false;
    if (slow_ < limits_.slow) {
        ++slow_;
        co_return true;
    }
    if (slow_waiting_ >= limits_.slow_waiting) co_return false;
    ++slow_waiting_;
    const bool granted = co_await wait_in(&slow_line_);
    --slow_waiting_;
    co_return granted;
}

void LookupLanes::leave_slow() {
    if (!slow_line_.empty()) return grant(slow_line_);
    --slow_;
}

// ---- the end

void LookupLanes::stop() {
    stopped_ = true;
    refuse_all(line_);
    refuse_all(line_for_mx_);
    refuse_all(slow_line_);
}

void LookupLanes::refuse_all(Waiters& line) {
    while (!line.empty())
        line.pop_front().come.set();
}

}  // namespace dns
