// Preparation: what is done for recipients before their turn. A content that left memory is read
// back by its origin, for a window of recipients ahead of the connections, so that those need not
// wait. Who is prepared goes before the queue. Owned by the path, on its shard; a recipient that is
// away belongs to its origin. prepared_ holds only recipients whose content is held in memory.
// Limits: kMaxPreparing recipients, those that are prepared and not sent yet among them;
// kMaxPreparingOctets of content that is being read back.
#pragma once

#include <cstddef>

#include "core/base/assert.h"
#include "relay/path/fair_queue.h"

namespace relay {

class Preparation {
  public:
    static constexpr std::size_t kMaxPreparing = 64;
    static constexpr std::size_t kMaxPreparingOctets = 64 << 20;

    // While those at the front of the queue need it and the window has room for them:
    // ask(recipient) sends each away. It comes back by prepared() or failed(), in a later turn.
    template <typename Ask>
    void begin_ahead(FairQueue& queue, Ask ask) {
        while (!queue.empty() && needed(queue.front()) && has_room()) {
            Recipient& recipient = queue.pop_front();
            ++away_;
            octets_away_ += recipient.message->size();
            ask(recipient);
        }
    }
    // It is back, and its content is held.
    void prepared(Recipient& recipient) {
        PH_ASSERT(recipient.content_held);
        came_back(recipient);
        prepared_.push_back(recipient);
    }
    // It is back, and cannot be prepared; it is the caller's.
    void failed(const Recipient& recipient) { came_back(recipient); }

    // Of one that was not away: holds its content, if that is in memory.
    static bool hold(Recipient& recipient) {
        recipient.content_held =
            recipient.content_held || recipient.message->place.holders.try_hold();
        return recipient.content_held;
    }

    std::size_t away() const { return away_; }
    // Those whose turn it is, and whose content is held.
    ReadyQueue& queue() { return prepared_; }
    std::size_t size() const { return prepared_.size(); }

  private:
    static bool needed(const Recipient& recipient) {
        return recipient.message->place.holders.evicted();
    }
    bool has_room() const {
        return away_ + prepared_.size() < kMaxPreparing && octets_away_ < kMaxPreparingOctets;
    }
    void came_back(const Recipient& recipient) {
        PH_ASSERT(away_ > 0 && octets_away_ >= recipient.message->size());
        --away_;
        octets_away_ -= recipient.message->size();
    }

    ReadyQueue prepared_;
    std::size_t away_ = 0;
    std::size_t octets_away_ = 0;
};

}  // namespace relay
