// RecentHosts: something known of each host, for the hosts touched last. Pure; one owner, one
// shard. Limit: given at the start; a host more takes the place of the one touched longest ago.
#pragma once

#include <cstddef>
#include <string>

#include "core/base/lru_map.h"

namespace relay {

template <typename Known>
class RecentHosts {
  public:
    explicit RecentHosts(std::size_t most) : most_(most) {}

    std::size_t size() const { return hosts_.size(); }
    // Null: nothing is known. It keeps its place.
    Known* find(const std::string& host) { return hosts_.find(host); }
    // The hosts touched last, so many of them: visit(name, known).
    template <typename Visit>
    void each_of(std::size_t most, const Visit& visit) {
        for (auto entry = hosts_.begin(); entry != hosts_.end() && most > 0; ++entry, --most)
            visit(entry->name, entry->value);
    }
    // Made if need be. Valid until the next call.
    Known& touch(const std::string& host) {
        Known& known = hosts_.touch(host)->value;
        if (hosts_.size() > most_) hosts_.erase(hosts_.oldest());
        return known;
    }

  private:
    std::size_t most_;
    core::LruMap<Known> hosts_;
};

}  // namespace relay
