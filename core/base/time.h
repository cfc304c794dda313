// Points in time and their distance, as values. Instant is monotonic and drives timers and rates;
// WallTime is for people, headers and message age. Where they come from: core/runtime/clock.h.
#pragma once

#include <chrono>

namespace core {

using Duration = std::chrono::nanoseconds;

struct MonotonicTime {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<MonotonicTime, Duration>;
    static constexpr bool is_steady = true;
};

using Instant = MonotonicTime::time_point;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

inline constexpr Instant kNever = Instant::max();

}  // namespace core
