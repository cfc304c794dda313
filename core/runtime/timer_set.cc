#include "core/runtime/timer_set.h"

#include <algorithm>
#include <bit>

namespace core {

namespace {

std::uint64_t nanoseconds(Instant instant) {
    return static_cast<std::uint64_t>(
        std::max<Duration::rep>(0, instant.time_since_epoch().count()));
}

}  // namespace

std::size_t TimerSet::bucket_of(std::uint64_t tick) const {
    return static_cast<std::size_t>(64 - std::countl_zero(tick ^ last_));
}

void TimerSet::insert(Timer& timer) {
    timer.bucket_ = bucket_of(timer.tick_);
    buckets_[timer.bucket_].push_back(timer);
    if (timer.bucket_ > 0) occupied_ |= std::uint64_t{1} << (timer.bucket_ - 1);
}

void TimerSet::arm(Timer& timer, Instant deadline) {
    PH_ASSERT(!timer.armed());
    timer.deadline_ = deadline;
    // Rounded up, so that a timer never fires early; at most the past, which is the next expiry.
    const std::uint64_t rounded = (nanoseconds(deadline) + (1U << kTickShift) - 1) >> kTickShift;
    timer.tick_ = std::max(rounded, last_);
    insert(timer);
    ++size_;
}

void TimerSet::disarm(Timer& timer) {
    timer.unlink();
    --size_;
    if (timer.bucket_ > 0 && buckets_[timer.bucket_].empty()) {
        occupied_ &= ~(std::uint64_t{1} << (timer.bucket_ - 1));
    }
}

void TimerSet::collect(Instant now) {
    const std::uint64_t tick = std::max(nanoseconds(now) >> kTickShift, last_);
    const std::size_t top = bucket_of(tick);
    // Everything below the top bucket is due; the top bucket is sorted again by the new time.
    IntrusiveList<Timer, TimerTag> candidates;
    for (std::size_t i = 0; i <= top; ++i)
        candidates.splice_back(buckets_[i]);
    if (top > 0) occupied_ &= top == 64 ? 0 : ~std::uint64_t{0} << top;
    last_ = tick;
    while (!candidates.empty()) {
        Timer& timer = candidates.pop_front();
        if (timer.tick_ <= tick) {
            timer.bucket_ = 0;
            due_.push_back(timer);
        } else {
            insert(timer);
        }
    }
}

Timer* TimerSet::take_due() {
    if (due_.empty()) return nullptr;
    --size_;
    return &due_.pop_front();
}

std::size_t TimerSet::expire(Instant now) {
    std::size_t count = 0;
    collect(now);
    for (; Timer* const timer = take_due(); ++count)  // which may disarm others that are due
        timer->expire();
    return count;
}

Instant TimerSet::next() const {
    if (size_ == 0) return kNever;
    if (!due_.empty()) return Instant{};
    std::uint64_t tick = last_;
    if (occupied_ != 0 && buckets_[0].empty()) {
        const int bit = std::countr_zero(occupied_);
        tick = ((last_ >> bit) | 1) << bit;
    }
    constexpr auto kLast = static_cast<std::uint64_t>(Duration::max().count()) >> kTickShift;
    return Instant{Duration{static_cast<Duration::rep>(std::min(tick, kLast) << kTickShift)}};
}

}  // namespace core
