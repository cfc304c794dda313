#include "metrics/shard_metrics.h"

#include <algorithm>

namespace metrics {

ShardMetrics::ShardMetrics(std::size_t destinations)
    : destination_count_(std::clamp<std::size_t>(destinations, 1, kMostDestinations)),
      destinations_(std::make_unique<DestinationCounters[]>(destination_count_)) {}

void ShardMetrics::publish(const EngineTotals& totals) {
    engine_.turns.set(totals.turns);
    engine_.enters.set(totals.enters);
    engine_.submitted.set(totals.submitted);
    engine_.completed.set(totals.completed);
    engine_.sends.set(totals.sends);
    engine_.receives.set(totals.receives);
    engine_.buffers_exhausted.set(totals.buffers_exhausted);
    engine_.overflows.set(totals.overflows);
    engine_.busy_ns.set(totals.busy_ns);
    engine_.idle_ns.set(totals.idle_ns);
    engine_.longest_turn_ns.set(totals.longest_turn_ns);
    engine_.letters.set(totals.letters);
    engine_.copied.set(totals.copied);
    engine_.held_input.set(totals.held_input);
    for (std::size_t i = 0; i < totals.turns_by_length.size(); ++i) {
        engine_.turns_by_length[i].set(totals.turns_by_length[i]);
    }

    constexpr std::uint64_t kShortestWindow = 100'000'000;
    const std::uint64_t busy = totals.busy_ns - ratio_busy_ns_;
    const std::uint64_t window = busy + (totals.idle_ns - ratio_idle_ns_);
    if (window < kShortestWindow) return;
    const double ratio = static_cast<double>(busy) / static_cast<double>(window);
    engine_.busy_parts_per_million.set(static_cast<std::uint64_t>(ratio * 1e6));
    ratio_busy_ns_ = totals.busy_ns;
    ratio_idle_ns_ = totals.idle_ns;
}

void ShardMetrics::publish(const DnsTotals& totals) {
    for (std::size_t type = 0; type < kDnsTypes; ++type) {
        for (std::size_t result = 0; result < kDnsResults; ++result) {
            dns_.lookups[type][result].set(totals.lookups[type][result]);
        }
    }
    dns_.cache_hits.set(totals.cache_hits);
    dns_.cache_misses.set(totals.cache_misses);
    dns_.shed.set(totals.shed);
    dns_.cache_entries.set(static_cast<std::int64_t>(totals.cache_entries));
}

void SpoolCounters::publish(const SpoolTotals& totals) {
    batches.set(totals.batches);
    octets.set(totals.octets);
    outcomes.set(totals.outcomes);
    outcomes_dropped.set(totals.outcomes_dropped);
    moved_octets.set(totals.moved_octets);
    unnoted.set(totals.unnoted);
}

}  // namespace metrics
