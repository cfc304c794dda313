#include "relay/schedule/retry_schedule.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/base/prng.h"

namespace relay {

RetrySchedule::RetrySchedule(std::vector<core::Duration> intervals, core::Duration max_age)
    : intervals_(std::move(intervals)), max_age_(max_age) {
    PH_ASSERT(!intervals_.empty());
}

core::Duration RetrySchedule::delay(unsigned attempts, const MessageId& message,
                                    const RetryRule* rule) const {
    PH_ASSERT(attempts > 0);
    const std::vector<core::Duration>& intervals =
        rule != nullptr && !rule->intervals.empty() ? rule->intervals : intervals_;
    const core::Duration base =
        intervals[std::min<std::size_t>(attempts - 1, intervals.size() - 1)];
    core::Prng prng(message.low ^ message.high ^ (std::uint64_t{attempts} << 56));
    const auto span = base.count() / 5;  // from -10 % to +10 %
    if (span <= 0) return base;
    const auto offset =
        static_cast<core::Duration::rep>(prng.below(static_cast<std::uint64_t>(span) + 1));
    return base + core::Duration{offset - span / 2};
}

}  // namespace relay
