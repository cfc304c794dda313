// SilentNames: names whose servers gave no answer lately. The next lookup for one of them begins in
// the slow lane. No clock: the caller passes the time. One thread. Limit: kMost names; a full set
// forgets the one that was noted longest ago.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "core/base/lru_map.h"
#include "core/base/time.h"

namespace dns {

class SilentNames {
  public:
    static constexpr std::size_t kMost = 16'384;
    // Less than what mail waits before it is tried again: then each name gets a new chance.
    static constexpr core::Duration kFor = std::chrono::minutes{2};

    void note(const std::string& name, core::Instant now) {
        until_.touch(name)->value = now + kFor;
        if (until_.size() > kMost) until_.erase(until_.oldest());
    }
    void forget(const std::string& name) { until_.erase(name); }
    bool contains(const std::string& name, core::Instant now) const {
        const core::Instant* until = until_.find(name);
        return until != nullptr && *until > now;
    }
    std::size_t size() const { return until_.size(); }

  private:
    core::LruMap<core::Instant> until_;  // noted last in front
};

}  // namespace dns
