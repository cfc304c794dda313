// SingleProbe: of the sessions that begin, one tries whether what was learned of a server is still
// so; it has kTime, then another one may. Part of Belief and SessionCap. Pure.
#pragma once

#include "core/base/time.h"

namespace relay {

class SingleProbe {
  public:
    static constexpr core::Duration kTime = std::chrono::minutes{5};

    // True: the caller is the one that tries.
    bool begin(core::Instant now) {
        if (now < until_) return false;
        until_ = now + kTime;
        return true;
    }
    // It is known how it went.
    void end() { until_ = {}; }

  private:
    core::Instant until_{};
};

}  // namespace relay
