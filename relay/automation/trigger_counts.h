// TriggerCounts: how often a rule matched lately, for each scope: triggers of "N/period". Up to
// kExact matches are remembered by their times, so the answer is exact; of larger N the count may
// include matches up to a fifteenth of the period older. And when it was last told, as a site that
// refuses everything matches thousands of times a second. Pure; one for each shard, which counts
// for the scopes that hash to it, so that a count is exact whatever number of lanes sees the
// replies. Not kept over a restart. Limit: kMostTracked pairs of rule and scope: beyond it the one
// that was silent longest is forgotten, and its count begins again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/base/lru_map.h"
#include "core/base/time.h"
#include "core/base/units.h"

namespace relay {

// Whether N events fell into the last period.
class SlidingCount {
  public:
    static constexpr std::size_t kExact = 16;

    bool count(core::Rate threshold, core::Instant now);

  private:
    bool count_times(std::uint64_t wanted, core::Duration period, core::Instant now);
    bool count_parts(std::uint64_t wanted, core::Duration period, core::Instant now);

    std::array<std::int64_t, kExact> cells_{};  // times in ns + 1, or counts of a sixteenth
    std::size_t next_ = 0;
    std::int64_t part_ = 0;  // of the latest count, since the epoch
};

class TriggerCounts {
  public:
    static constexpr std::size_t kMostTracked = 20'000;
    static constexpr core::Duration kToldApart = std::chrono::seconds{1};

    // One more match of a rule in a scope. True: its trigger is reached.
    bool count(std::uint64_t rule, const std::string& scope, core::Rate threshold,
               core::Instant now);
    // False: the same was told less than kToldApart ago.
    bool tell(std::uint64_t rule, const std::string& about, core::Instant now);
    std::size_t tracked() const { return entries_.size(); }

  private:
    struct Entry {
        SlidingCount count{};
        core::Instant told = core::Instant::min();
    };
    Entry& entry(std::uint64_t rule, const std::string& about);

    core::LruMap<Entry> entries_;
};

}  // namespace relay
