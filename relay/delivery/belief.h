// Belief: something learned about a server that costs us where it is wrong: that its TLS is broken,
// that it refuses a parameter, that it cannot follow pipelining. It holds for kFirst after the
// first observation. Then one session tries the better way for everybody; when it sees the same
// again the belief holds twice as long, up to kLongest. Observations while it holds are the same
// fact and change nothing. The contrary lifts it at once; without news it is forgotten. Pure; owned
// by the memory of a host or site, one shard.
#pragma once

#include <algorithm>

#include "core/base/time.h"
#include "relay/delivery/single_probe.h"

namespace relay {

class Belief {
  public:
    static constexpr core::Duration kFirst = std::chrono::minutes{5};
    static constexpr core::Duration kLongest = std::chrono::minutes{40};

    // True: act on it. False: nothing is believed, or the caller is the one that tries again.
    bool ask(core::Instant now) {
        return holds_at_all(now) && (now < until_ || !probe_.begin(now));
    }
    // The same without becoming the one that tries.
    bool holds(core::Instant now) const { return holds_at_all(now) && now < until_; }

    // It was observed. How long it holds from now on; zero: it held already.
    core::Duration learn(core::Instant now) {
        if (holds(now)) return {};
        hold_ = holds_at_all(now) ? std::min<core::Duration>(hold_ * 2, kLongest) : kFirst;
        until_ = now + hold_;
        probe_.end();
        return hold_;
    }
    // The contrary was observed. True: it was believed until now.
    bool lift(core::Instant now) {
        const bool believed = holds_at_all(now);
        *this = {};
        return believed;
    }

  private:
    bool holds_at_all(core::Instant now) const {
        return hold_ > core::Duration{} && now < until_ + kLongest;
    }

    core::Duration hold_{};  // zero: nothing is believed
    core::Instant until_{};
    SingleProbe probe_;
};

}  // namespace relay
