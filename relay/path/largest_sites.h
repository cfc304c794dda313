// LargestSites: the sites of one shard that hold up most mail, for the line of the log that says
// why mail waits (relay/admin/queue_report.h). The shard's dispatcher offers every site while it
// sweeps and publishes at the end of the sweep; one other shard reads what was published last,
// under a lock. Limit: kMost sites.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay {

struct SiteBacklog {
    std::string site;
    std::uint64_t recipients =
        0;  // that wait for a connection, or were deferred since the last sweep
    bool operator==(const SiteBacklog&) const = default;
};

class LargestSites {
  public:
    static constexpr std::size_t kMost = 3;

    void offer(std::string_view site, std::uint64_t recipients) {
        if (recipients == 0) return;
        if (found_.size() == kMost && found_.back().recipients >= recipients) return;
        if (found_.size() == kMost) found_.pop_back();
        const auto place = std::ranges::upper_bound(found_, recipients, std::greater<>{},
                                                    &SiteBacklog::recipients);
        found_.insert(place, {std::string(site), recipients});
    }
    void publish() {
        const std::scoped_lock lock(mutex_);
        published_ = std::exchange(found_, {});
    }
    // Largest first.
    std::vector<SiteBacklog> get() const {
        const std::scoped_lock lock(mutex_);
        return published_;
    }

  private:
    std::vector<SiteBacklog> found_;  // by this sweep, largest first
    mutable std::mutex mutex_;
    std::vector<SiteBacklog> published_;
};

}  // namespace relay
