// IntakeShares: how much mail that is not complete yet each client of a listener holds on one
// shard: content, envelopes, bodies. One per listener and shard, owned by its ingress; it outlives
// every Hold. A client may have at most twice what is left free, whoever came first: one client
// alone gets two thirds of the room, two get two fifths each, and there is always room for the next
// (dynamic thresholds, Choudhury and Hahne 1998). A client is an address, or an IPv6 network of 64
// bits. What one connection holds below kUnattributed counts in the total only, so that small
// messages cost no look-up. Limits: the caller asks whether there is room for total() and
// must_be_left(), and refuses what does not fit.
#pragma once

#include <cstddef>
#include <map>

#include "core/base/address.h"

namespace relay {

class IntakeShares {
  public:
    static constexpr std::size_t kUnattributed = 1U << 20;

    // What one connection or request holds, for as long as it does.
    class Hold {
      public:
        Hold(IntakeShares& shares, const core::IpAddress& client);
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;
        ~Hold() { set(0); }

        void set(std::size_t octets);
        std::size_t octets() const { return octets_; }
        // What must be free beside the total, so that others find room while its client holds
        // what it does: half of that. None while this connection holds little.
        std::size_t must_be_left() const;

      private:
        std::size_t attributed() const { return octets_ > kUnattributed ? octets_ : 0; }

        IntakeShares& shares_;
        const core::IpAddress client_;
        std::size_t octets_ = 0;
    };

    // Of everybody.
    std::size_t total() const { return total_; }

  private:
    std::size_t total_ = 0;
    std::map<core::IpAddress, std::size_t> by_client_;
};

}  // namespace relay
