// Exchange: how recipients travel between their origin shard and the home shard of their path. A
// recipient that is handed over belongs to the receiver; it is not touched by the sender any more.
// Built before the shards serve; the table is read-only from then on. Within one shard the handover
// is a call; between shards a letter, so everything sent from one shard to another arrives in
// order.
#pragma once

#include <cstddef>
#include <vector>

#include "core/io/shard.h"
#include "relay/message/message.h"

namespace relay {

class RecipientTaker {
  public:
    virtual ~RecipientTaker() = default;
    virtual void take(Recipient& recipient) = 0;
};

// The origin's end takes recipients home with their disposition. It also prepares one whose turn
// comes soon: the content is in memory again and held afterwards. Its home hears by prepared().
class OriginEnd : public RecipientTaker {
  public:
    virtual void prepare(Recipient& recipient) = 0;
};

// The home's end takes recipients that are ready. prepared() is the answer to prepare(): the
// content is held, or the disposition says why the recipient cannot be prepared.
class HomeEnd : public RecipientTaker {
  public:
    virtual void prepared(Recipient& recipient) = 0;
};

class Exchange {
  public:
    explicit Exchange(std::size_t shards) : origins_(shards), homes_(shards) {}

    // Each shard registers its two ends before any shard serves.
    void attach(std::size_t shard, OriginEnd& origin, HomeEnd& home) {
        origins_[shard] = &origin;
        homes_[shard] = &home;
    }
    void to_home(core::Shard& from, std::size_t home, Recipient& recipient) {
        hand_over(from, home, *homes_[home], recipient);
    }
    void to_origin(core::Shard& from, Recipient& recipient) {
        const std::size_t origin = recipient.message->origin;
        hand_over(from, origin, *origins_[origin], recipient);
    }
    // Always a letter or a later turn: the caller is in the middle of its queue.
    void to_prepare(core::Shard& from, Recipient& recipient) {
        const std::size_t origin = recipient.message->origin;
        from.tell(origin, [end = origins_[origin], &recipient] { end->prepare(recipient); });
    }
    void to_home_prepared(core::Shard& from, std::size_t home, Recipient& recipient) {
        if (from.id() == home) return homes_[home]->prepared(recipient);
        from.tell(home, [end = homes_[home], &recipient] { end->prepared(recipient); });
    }

  private:
    static void hand_over(core::Shard& from, std::size_t to, RecipientTaker& taker,
                          Recipient& recipient) {
        if (from.id() == to) return taker.take(recipient);
        from.tell(to, [&taker, &recipient] { taker.take(recipient); });
    }

    std::vector<OriginEnd*> origins_;
    std::vector<HomeEnd*> homes_;
};

}  // namespace relay
