// HeldMail: messages that a shard found in its spool and that are kept apart: suspects, and what is
// set aside (relay/spool/held_back.h). Once the process has lived for a minute it tries the
// suspects, one at a time over all shards. A trial ends when all of the message that was due is
// home again, or after kTrial, whichever comes first. What is set aside goes when its file was
// removed; HeldMail looks for that every kLook. The Origin owns the messages, and this; one shard.
// Limit: those of recovery.
#pragma once

#include <vector>

#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"
#include "metrics/shard_metrics.h"
#include "relay/message/message.h"
#include "relay/spool/held_back.h"

namespace relay {

// What it needs of the Origin.
class HeldMailOwner {
  public:
    virtual ~HeldMailOwner() = default;
    // What is due of it goes now; the message may be gone when this returns.
    virtual core::Task<void> let_out(Message& message) = 0;
};

class HeldMail {
  public:
    static constexpr core::Duration kTrial = std::chrono::seconds{30};
    static constexpr core::Duration kLook = std::chrono::seconds{10};
    static constexpr core::Duration kStep = std::chrono::seconds{1};

    // back: null: nothing is ever held.
    HeldMail(core::Shard& shard, metrics::ShardMetrics& metrics, HeldBack* back,
             HeldMailOwner& owner)
        : shard_(shard), metrics_(metrics), back_(back), owner_(owner), changed_(shard.reactor()) {}

    // True: it stays here.
    bool take(Message& message);
    bool empty() const { return suspects_.empty() && set_aside_.empty(); }
    // Until nothing is held, or stop().
    core::Task<void> run();
    void stop();
    // Nobody is sent out any more, and the messages are about to be forgotten.
    void forget_all();

    // ---- what becomes of every recipient and message: whoever is on trial is looked for
    void sent_out(const Recipient& recipient) {
        if (recipient.message == on_trial_) ++outstanding_;
    }
    void came_home(const Recipient& recipient) {
        if (recipient.message != on_trial_) return;
        if (--outstanding_ == 0) changed_.notify_all();
    }
    void gone(const Message& message) {
        if (&message == on_trial_) on_trial_ = nullptr;
    }

  private:
    core::Task<void> try_one();
    core::Task<void> let_released_go();
    void leaves(const Message& message);
    void publish();

    core::Shard& shard_;
    metrics::ShardMetrics& metrics_;
    HeldBack* back_;
    HeldMailOwner& owner_;
    core::Event changed_;
    std::vector<Message*> suspects_;
    std::vector<Message*> set_aside_;
    core::Instant looked_{};
    const Message* on_trial_ = nullptr;
    std::size_t outstanding_ = 0;  // its recipients on the way
    bool running_ = false;
    bool stopping_ = false;
};

}  // namespace relay
