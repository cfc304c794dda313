// WarmupLedger: how many messages each egress source in warm-up was given today, for each provider
// (a site without one counts for itself). Days are UTC. One per process, shared by its shards; any
// thread. A shard takes messages in leases by its WarmupShare, so the lock is taken seldom, and by
// mail of such sources only.
// Never more than the plan, over restarts and kill -9 too: nothing is given on a day before the
// file says that the day is open; between two writes no key gets more than its reserve (a quarter
// of the day, at least kLeastReserve); and what an unclean end may have hidden counts as sent. So
// after a kill up to a reserve of the day is lost. Limit: kMostKeys sources and providers; further
// ones get nothing on that day.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/time.h"

namespace relay {

struct WarmupProgress {
    std::string source;
    std::string provider;
    std::uint32_t taken = 0;  // leases count as taken
};

class WarmupLedger {
  public:
    static constexpr std::size_t kMostKeys = 10'000;
    static constexpr std::uint32_t kLeastReserve = 25;
    static constexpr std::uint32_t kMostLease = 100;

    explicit WarmupLedger(std::size_t shards) : shards_(shards) {}

    // From now on what is given is bounded by what was written.
    void keep() { kept_ = true; }
    // What an earlier run left; lines that make no sense are left out. Before the shards serve.
    // False: it is not what we wrote, or of a later day, so it is not known what was sent today,
    // and nothing more is given on that day.
    bool read(std::string_view text, std::int64_t today);
    // Messages that the caller may send; 0: none now.
    std::uint32_t lease(const std::string& source, const std::string& provider, std::int64_t day,
                        std::uint32_t allowance);
    bool was_used() const;
    // Something was given since the last text().
    bool is_changed() const;
    // For the file. clean: nothing is given any more. written(): it is on disk.
    std::string text(bool clean);
    void written();
    std::vector<WarmupProgress> progress(std::int64_t day) const;

  private:
    struct Key {
        std::uint32_t taken = 0;
        std::uint32_t mark = 0;     // on disk; nothing above it is given
        std::uint32_t next = 0;     // being written
        std::uint32_t reserve = 0;  // of the day
    };

    void begin_day(std::int64_t day);
    static std::uint32_t reserve_of(std::uint32_t allowance);

    const std::size_t shards_;
    mutable std::mutex mutex_;
    std::int64_t day_ = 0;
    std::int64_t open_day_ = 0;  // the file says that something may be given on this day
    std::int64_t next_open_day_ = 0;
    bool kept_ = false;
    std::int64_t unknown_day_ = -1;  // what was sent on it is not known
    bool unclean_ = false;           // the earlier run of this day ended so
    bool changed_ = false;
    std::map<std::pair<std::string, std::string>, Key> keys_;
};

// A shard's leases. Owned by its Router. Limit: that of the ledger.
class WarmupShare {
  public:
    explicit WarmupShare(WarmupLedger& ledger) : ledger_(ledger) {}

    bool take(const std::string& source, const std::string& provider, std::int64_t day,
              std::uint32_t allowance);

  private:
    WarmupLedger& ledger_;
    std::int64_t day_ = 0;
    std::map<std::pair<std::string, std::string>, std::uint32_t> left_;
};

inline std::int64_t day_of(core::WallTime time) {
    return std::chrono::floor<std::chrono::days>(time).time_since_epoch().count();
}

}  // namespace relay
