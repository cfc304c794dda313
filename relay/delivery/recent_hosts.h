// RecentHosts: something known of each host, for the hosts touched last. Pure; one owner, one
// shard. Limit: given at the start; a host more takes the place of the one touched longest ago.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace relay {

template <typename Known>
class RecentHosts {
  public:
    explicit RecentHosts(std::size_t most) : most_(most) {}

    std::size_t size() const { return entries_.size(); }
    // Null: nothing is known. It keeps its place.
    Known* find(const std::string& host) {
        const auto found = by_host_.find(host);
        return found == by_host_.end() ? nullptr : &found->second->known;
    }
    // Made if need be. Valid until the next call.
    Known& touch(const std::string& host) {
        if (const auto found = by_host_.find(host); found != by_host_.end()) {
            entries_.splice(entries_.begin(), entries_, found->second);
            return entries_.front().known;
        }
        if (entries_.size() == most_) {
            by_host_.erase(entries_.back().host);
            entries_.pop_back();
        }
        entries_.emplace_front().host = host;
        by_host_.emplace(entries_.front().host, entries_.begin());
        return entries_.front().known;
    }

  private:
    struct Entry {
        std::string host;
        Known known;
    };
    using Entries = std::list<Entry>;  // touched last in front

    std::size_t most_;
    Entries entries_;
    std::unordered_map<std::string_view, typename Entries::iterator> by_host_;
};

}  // namespace relay
