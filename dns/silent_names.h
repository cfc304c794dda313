// SilentNames: names whose servers gave no answer lately. The next lookup for one of them begins in
// the slow lane. No clock: the caller passes the time. One thread. Limit: kMost names; a full set
// forgets the oldest (FIFO).
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/time.h"

namespace dns {

class SilentNames {
  public:
    static constexpr std::size_t kMost = 16'384;
    // Less than what mail waits before it is tried again: then each name gets a new chance.
    static constexpr core::Duration kFor = std::chrono::minutes{2};

    void note(const std::string& name, core::Instant now) {
        forget(name);
        if (entries_.size() == kMost) forget(std::string(entries_.front().name));
        entries_.push_back({name, now + kFor});
        by_name_.emplace(entries_.back().name, std::prev(entries_.end()));
    }
    void forget(const std::string& name) {
        const auto found = by_name_.find(name);
        if (found == by_name_.end()) return;
        const auto entry = found->second;
        by_name_.erase(found);
        entries_.erase(entry);
    }
    bool contains(const std::string& name, core::Instant now) const {
        const auto found = by_name_.find(name);
        return found != by_name_.end() && found->second->until > now;
    }
    std::size_t size() const { return entries_.size(); }

  private:
    struct Entry {
        std::string name;
        core::Instant until{};
    };
    std::list<Entry> entries_;
    std::unordered_map<std::string_view, std::list<Entry>::iterator> by_name_;
};

}  // namespace dns
