// SessionCap: after how many messages a host ends a session without a word, as far as its sessions
// show. A limit is learned from kEnough closes in a row after the same number of messages. Each of
// these must be a fact of its own: the session began after the close before it, and ended kApart
// later. So connections that a restart closes together are one fact. A session that carries more
// is evidence to the contrary and lifts limit and suspicion. A limit holds for kHold; then one
// session goes beyond it, and only the same close again renews it. While it holds, closes after
// fewer messages do not lower it: they cost a round trip, no mail. Pure; owned by the memory of a
// host, one shard.
#pragma once

#include <algorithm>
#include <cstddef>

#include "core/base/time.h"
#include "relay/delivery/single_probe.h"
#include "relay/limits/learned.h"

namespace relay {

class SessionCap {
  public:
    static constexpr unsigned kEnough = 3;
    static constexpr core::Duration kApart = std::chrono::seconds{10};
    static constexpr core::Duration kHold = std::chrono::minutes{10};

    // A session that began then ended between two messages. True: a limit begins to bind.
    bool closed_silently(std::size_t messages, core::Instant began, core::Instant now);
    // A session took so many messages. True: a limit was wrong and is lifted.
    bool carried(std::size_t messages);
    // Messages to give a session that begins; 0: no limit is known, or this session tries more.
    std::size_t most(core::Instant now);
    // What outlives the process, and what an earlier one learned.
    LearnedCap learned(core::Instant now) const {
        const core::Instant end = hold_until_ + kHold;
        return {limit_, limit_ > 0 && end > now ? end - now : core::Duration{}};
    }
    void restore(const LearnedCap& learned, core::Instant now) {
        if (learned.messages == 0 || learned.left <= core::Duration{}) return;
        limit_ = learned.messages;
        hold_until_ = now + std::min<core::Duration>(learned.left, 2 * kHold) - kHold;
    }

  private:
    std::size_t limit_ = 0;  // 0: none
    core::Instant hold_until_{};
    SingleProbe probe_;
    std::size_t suspected_ = 0;
    unsigned facts_ = 0;  // for it
    core::Instant latest_{};
};

}  // namespace relay
