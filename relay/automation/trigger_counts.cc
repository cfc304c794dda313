#include "relay/automation/trigger_counts.h"

#include <algorithm>
#include <numeric>

namespace relay {

bool SlidingCount::count(core::Rate threshold, core::Instant now) {
    if (threshold.count <= kExact) return count_times(threshold.count, threshold.period, now);
    return count_parts(threshold.count, threshold.period, now);
}

// The N-th last is not older than the period.
bool SlidingCount::count_times(std::uint64_t wanted, core::Duration period, core::Instant now) {
    const std::int64_t time = now.time_since_epoch().count() + 1;
    cells_[next_ % kExact] = time;
    const std::size_t oldest = next_ + kExact + 1 - static_cast<std::size_t>(wanted);
    ++next_;
    const std::int64_t then = cells_[oldest % kExact];
    return then > 0 && time - then < period.count();
}

bool SlidingCount::count_parts(std::uint64_t wanted, core::Duration period, core::Instant now) {
    const std::int64_t length =
        std::max<std::int64_t>(period.count() / static_cast<std::int64_t>(kExact - 1), 1);
    const std::int64_t part = now.time_since_epoch().count() / length;
    const std::int64_t gone = std::min<std::int64_t>(part - part_, kExact);
    for (std::int64_t i = 1; i <= gone; ++i)
        cells_[static_cast<std::size_t>(part - gone + i) % kExact] = 0;
    part_ = part;
    ++cells_[static_cast<std::size_t>(part) % kExact];
    const std::int64_t all = std::accumulate(cells_.begin(), cells_.end(), std::int64_t{0});
    return static_cast<std::uint64_t>(all) >= wanted;
}

bool TriggerCounts::count(std::uint64_t rule, const std::string& scope, core::Rate threshold,
                          core::Instant now) {
    return entry(rule, scope).count.count(threshold, now);
}

bool TriggerCounts::tell(std::uint64_t rule, const std::string& about, core::Instant now) {
    Entry& one = entry(rule, about);
    if (one.told != core::Instant::min() && now - one.told < kToldApart) return false;
    one.told = now;
    return true;
}

TriggerCounts::Entry& TriggerCounts::entry(std::uint64_t rule, const std::string& about) {
    Entry& one = entries_.touch(std::to_string(rule) + " " + about)->value;
    if (entries_.size() > kMostTracked) entries_.erase(entries_.oldest());
    return one;
}

}  // namespace relay
