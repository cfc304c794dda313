// SessionClock: until when one session waits for its server. A limit for each reply as a whole, so
// that an octet now and then gains no time; one for the opening, from the connection to where mail
// may begin; one for each transaction until all of its content has left, by its size and by the
// time that its recipients have. So a server that is slow in whatever way holds a session, and the
// content with it, for a bounded time. What follows the last octet of content is up to the limit of
// its reply alone: giving up there would make a duplicate (RFC 5321 section 4.5.3.2.6). Pure
// values; owned by one connection.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/base/time.h"

namespace relay {

class SessionClock {
  public:
    static constexpr core::Duration kMaxOpening = std::chrono::minutes{20};
    static constexpr core::Duration kMaxTransaction = std::chrono::hours{1};
    static constexpr std::size_t kSlowestContent = 8 * 1024;  // octets a second, on top of that
    static constexpr core::Duration kExpiryMargin = std::chrono::minutes{1};

    void start_opening(core::Instant now) {
        cut_ = now + kMaxOpening;
        transaction_ = kNone;
        awaited_ = kNone;
    }
    // Nothing is under way that may be given up.
    void let_it_be() {
        cut_ = core::Instant::max();
        transaction_ = kNone;
    }
    bool times(std::uint64_t transaction) const { return transaction_ == transaction; }
    // A transaction of so many octets becomes the oldest; left: the time its recipients have.
    void start_transaction(std::uint64_t transaction, core::Instant now, std::size_t octets,
                           core::Duration left) {
        transaction_ = transaction;
        const core::Duration usual =
            kMaxTransaction + std::chrono::seconds{octets / kSlowestContent};
        const core::Duration rest = std::max(left, core::Duration::zero()) + kExpiryMargin;
        cut_ = now + std::min(usual, rest);
    }

    // When the reply with this number must be whole.
    core::Instant reply_due(std::uint64_t reply, core::Instant now, core::Duration patience) {
        if (awaited_ != reply) {
            awaited_ = reply;
            reply_due_ = now + patience;
        }
        return std::min(reply_due_, cut_);
    }
    core::Instant write_due(core::Instant now, core::Duration patience) const {
        return std::min(now + patience, cut_);
    }
    // What passed was not the limit of a reply.
    bool is_over(core::Instant now) const { return cut_ <= now; }

  private:
    static constexpr std::uint64_t kNone = UINT64_MAX;

    core::Instant cut_ = core::Instant::max();
    std::uint64_t transaction_ = kNone;
    std::uint64_t awaited_ = kNone;
    core::Instant reply_due_{};
};

}  // namespace relay
