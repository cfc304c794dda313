// Preparation: what is done for recipients before their turn. A content that left memory is read
// back by its origin, for a window of recipients ahead of the connections, so that those need not
// wait. Who is prepared goes before the queue, but not before mail that is more urgent: bulk mail
// never keeps the places of urgent mail. Owned by the path, on its shard; a recipient that is
// away belongs to its origin. prepared_ holds only recipients whose content is held in memory.
// Limits, for each priority with those above it: kMaxPreparing recipients, those that are prepared
// and not sent yet among them; kMaxPreparingOctets of content that is being read back. More urgent
// mail passes those that are prepared at most kMaxPassed times in a row.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

#include "core/base/assert.h"
#include "relay/path/fair_queue.h"

namespace relay {

class Preparation {
  public:
    static constexpr std::size_t kMaxPreparing = 64;
    static constexpr std::size_t kMaxPreparingOctets = 64 << 20;
    static constexpr unsigned kMaxPassed = 20;

    // While those at the front of the queue need it and the window has room for them:
    // ask(recipient) sends each away. It comes back by prepared() or failed(), in a later turn.
    template <typename Ask>
    void begin_ahead(FairQueue& queue, Ask ask) {
        while (!queue.empty() && needed(queue.front()) && has_room(queue.front())) {
            Recipient& recipient = queue.pop_front();
            Share& share = share_of(recipient);
            ++share.away;
            share.octets_away += recipient.message->size();
            ask(recipient);
        }
    }
    // It is back, and its content is held.
    void prepared(Recipient& recipient) {
        PH_ASSERT(recipient.content_held);
        came_back(recipient);
        share_of(recipient).prepared.push_back(recipient);
    }
    // It is back, and cannot be prepared; it is the caller's.
    void failed(const Recipient& recipient) { came_back(recipient); }

    // Of one that was not away: holds its content, if that is in memory.
    static bool hold(Recipient& recipient) {
        recipient.content_held =
            recipient.content_held || recipient.message->place.holders.try_hold();
        return recipient.content_held;
    }

    static void let_go(Recipient& recipient) {
        if (std::exchange(recipient.content_held, false)) recipient.message->place.holders.let_go();
    }

    std::size_t away() const {
        std::size_t sum = 0;
        for (const Share& share : shares_)
            sum += share.away;
        return sum;
    }
    // The most urgent of those whose content is held; null: there are none.
    ReadyQueue* first() {
        for (Share& share : shares_) {
            if (!share.prepared.empty()) return &share.prepared;
        }
        return nullptr;
    }
    // Whether this one, the first of the queue, goes before those of first().
    bool passes(const Recipient& recipient, ReadyQueue& prepared) const {
        return recipient.message->priority < prepared.front().message->priority &&
               passed_ < kMaxPassed;
    }
    // Which of the two was taken.
    void note(bool passed) { passed_ = passed ? passed_ + 1 : 0; }

    template <typename Visit>
    void for_each_queue(Visit visit) {
        for (Share& share : shares_)
            visit(share.prepared);
    }
    std::size_t size() const {
        std::size_t sum = 0;
        for (const Share& share : shares_)
            sum += share.prepared.size();
        return sum;
    }

  private:
    struct Share {
        ReadyQueue prepared;
        std::size_t away = 0;
        std::size_t octets_away = 0;
    };

    Share& share_of(const Recipient& recipient) {
        return shares_[static_cast<std::size_t>(recipient.message->priority)];
    }
    static bool needed(const Recipient& recipient) {
        return recipient.message->place.holders.evicted();
    }
    // Beside those of its priority and above.
    bool has_room(const Recipient& recipient) const {
        std::size_t count = 0;
        std::size_t octets = 0;
        for (std::size_t i = 0; i <= static_cast<std::size_t>(recipient.message->priority); ++i) {
            count += shares_[i].away + shares_[i].prepared.size();
            octets += shares_[i].octets_away;
        }
        return count < kMaxPreparing && octets < kMaxPreparingOctets;
    }
    void came_back(const Recipient& recipient) {
        Share& share = share_of(recipient);
        PH_ASSERT(share.away > 0 && share.octets_away >= recipient.message->size());
        --share.away;
        share.octets_away -= recipient.message->size();
    }

    std::array<Share, kPriorities> shares_;  // by priority
    unsigned passed_ = 0;                    // times in a row
};

}  // namespace relay
