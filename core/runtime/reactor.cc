#include "core/runtime/reactor.h"

#include <algorithm>

namespace core {

namespace {

#ifdef POSTHASTE_WATCHDOG
constexpr bool kWatched = true;
#else
constexpr bool kWatched = false;
#endif

}  // namespace

std::size_t Reactor::expire_timers(TurnTime& time) {
    std::size_t count = 0;
    timers_.collect(now_);
    while (!time.over()) {
        Timer* const timer = timers_.take_due();
        if (timer == nullptr) break;
        if constexpr (kWatched) watchdog_.begin(*timer);
        timer->expire();
        if constexpr (kWatched) watchdog_.end();
        ++count;
    }
    return count;
}

std::size_t Reactor::run_ready(TurnTime& time) {
    std::size_t count = 0;
    while (!ready_.empty() && count < kTurnBudget && !time.over()) {
        const std::coroutine_handle<> handle = ready_.front();
        ready_.pop_front();
        if constexpr (kWatched) watchdog_.begin(handle);
        handle.resume();
        if constexpr (kWatched) watchdog_.end();
        ++count;
    }
    return count;
}

void Reactor::count_turn(Duration busy) {
    std::size_t bucket = 0;
    while (bucket < kTurnBounds.size() && busy > kTurnBounds[bucket])
        ++bucket;
    const auto nanoseconds = static_cast<std::uint64_t>(busy.count());
    stats_.turns_by_length[bucket] += 1;
    stats_.turns += 1;
    stats_.busy_ns += nanoseconds;
    stats_.longest_turn_ns = std::max(stats_.longest_turn_ns, nanoseconds);
}

bool Reactor::turn(bool may_block) {
    const Instant start = now_;
    if constexpr (kWatched) watchdog_.begin_turn();
    TurnTime time(clock_, kTurnTime);
    if (!next_.empty()) {
        ready_.insert(ready_.end(), next_.begin(), next_.end());
        next_.clear();
    }
    const bool received = inbox_ != nullptr && inbox_->drain(time, watchdog_);
    std::size_t work = expire_timers(time);
    work += run_ready(time);
    if (inbox_ != nullptr) inbox_->flush();

    Instant until = has_ready() ? Instant::min() : timers_.next();
    const Instant before_wait = clock_.now();
    if (!may_block || stopping_) until = Instant::min();
    if (until > before_wait && inbox_ != nullptr && !inbox_->prepare_to_sleep()) {
        until = Instant::min();
    }
    source_.wait(until);
    if (inbox_ != nullptr) inbox_->woke_up();
    now_ = clock_.now();

    count_turn(before_wait - start);
    stats_.resumed += work;
    stats_.idle_ns += static_cast<std::uint64_t>((now_ - before_wait).count());
    return received || work > 0 || has_ready();
}

void Reactor::run() {
    now_ = clock_.now();
    while (!stopping_)
        turn(true);
    stopping_ = false;
}

void Reactor::stop() {
    stopping_ = true;
}

}  // namespace core
