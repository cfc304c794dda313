// TokenBucket: a rate limit as GCRA (the generic cell rate algorithm): one theoretical arrival time
// instead of a counter and a refill, so a bucket is a few words and costs nothing while it is idle.
// Pure: the time is passed in. Owned by the home shard of a path. The long-term rate is exact: what
// count/period leaves as a remainder is carried along, not rounded away. At most `burst` events may
// come at once after an idle time; the default is what fits into 50 ms, because receivers notice
// bursts. Between two events up to a tenth of the interval (at most 2 ms) of earliness is forgiven,
// so that a timer that fires a little late does not lower the rate.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "core/base/assert.h"
#include "core/base/time.h"
#include "core/base/units.h"

namespace relay {

class TokenBucket {
  public:
    explicit TokenBucket(core::Rate rate) : TokenBucket(rate, default_burst(rate)) {}
    TokenBucket(core::Rate rate, std::uint64_t burst)
        : count_(static_cast<std::int64_t>(rate.count)), period_(rate.period.count()) {
        PH_ASSERT(count_ > 0 && period_ > 0 && burst > 0);
        const auto ahead = static_cast<unsigned __int128>(burst - 1) *
                           static_cast<unsigned __int128>(period_) / rate.count;
        constexpr unsigned __int128 kCentury = 3'155'760'000'000'000'000;
        const auto interval = core::Duration(period_ / count_);
        tolerance_ = core::Duration(static_cast<std::int64_t>(std::min(ahead, kCentury))) +
                     std::min<core::Duration>(interval / 10, std::chrono::milliseconds(2));
    }

    static std::uint64_t default_burst(core::Rate rate) {
        constexpr std::uint64_t kMilliseconds = 50;
        const auto period = static_cast<std::uint64_t>(rate.period / std::chrono::milliseconds(1));
        return std::max<std::uint64_t>(
            1, rate.count * kMilliseconds / std::max<std::uint64_t>(period, 1));
    }

    // Takes one event's worth when the rate allows one now.
    bool try_take(core::Instant now) {
        if (now < next_at()) return false;
        if (now > arrival_) {
            arrival_ = now;
            remainder_ = 0;
        }
        arrival_ += core::Duration(period_ / count_);
        remainder_ += period_ % count_;
        if (remainder_ >= count_) {
            remainder_ -= count_;
            arrival_ += core::Duration(1);
        }
        return true;
    }

    // Another rate from now on. What was saved up is lost and what was used up stays so: whoever
    // changes the rate often gains nothing by it.
    void change(core::Rate rate, std::uint64_t burst, core::Instant now) {
        const core::Instant next = std::max(next_at(), now);
        *this = TokenBucket(rate, burst);
        arrival_ = next + tolerance_;
    }
    // The same, and the next event is let pass then.
    void begin_again(core::Rate rate, std::uint64_t burst, core::Instant next) {
        *this = TokenBucket(rate, burst);
        arrival_ = next + tolerance_;
    }
    // Gives back what was taken for an event that did not happen.
    void give_back() {
        arrival_ -= core::Duration(period_ / count_);
        remainder_ -= period_ % count_;
        if (remainder_ < 0) {
            remainder_ += count_;
            arrival_ -= core::Duration(1);
        }
    }

    // The earliest time at which try_take() answers true; in the past when it would now.
    core::Instant next_at() const { return arrival_ - tolerance_; }

  private:
    std::int64_t count_;
    std::int64_t period_;
    core::Duration tolerance_{};
    core::Instant arrival_{};     // when the next event is due
    std::int64_t remainder_ = 0;  // of a nanosecond, in 1/count_
};

}  // namespace relay
