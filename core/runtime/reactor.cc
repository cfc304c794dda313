#include "core/runtime/reactor.h"

#include <algorithm>

namespace core {

std::size_t Reactor::run_ready() {
    std::size_t count = 0;
    while (!ready_.empty() && count < kTurnBudget) {
        const std::coroutine_handle<> handle = ready_.front();
        ready_.pop_front();
        handle.resume();
        ++count;
    }
    return count;
}

bool Reactor::turn(bool may_block) {
    const Instant start = now_;
    const bool received = inbox_ != nullptr && inbox_->drain();
    std::size_t work = timers_.expire(now_);
    work += run_ready();
    if (inbox_ != nullptr) inbox_->flush();

    Instant until = ready_.empty() ? timers_.next() : Instant::min();
    const Instant before_wait = clock_.now();
    if (!may_block || stopping_) until = Instant::min();
    if (until > before_wait && inbox_ != nullptr && !inbox_->prepare_to_sleep()) {
        until = Instant::min();
    }
    source_.wait(until);
    if (inbox_ != nullptr) inbox_->woke_up();
    now_ = clock_.now();

    const auto busy = static_cast<std::uint64_t>((before_wait - start).count());
    stats_.turns += 1;
    stats_.resumed += work;
    stats_.busy_ns += busy;
    stats_.idle_ns += static_cast<std::uint64_t>((now_ - before_wait).count());
    stats_.longest_turn_ns = std::max(stats_.longest_turn_ns, busy);
    return received || work > 0 || !ready_.empty();
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
