// QueueCount: adds recipients up by domain, tenant and campaign, for one question of an operator.
// The walk through what waits feeds it and ends it with done(); who asked waits for that and takes
// the result. Lives on the asker's stack; one shard.
// Limits: kMaxQueuesCounted queues are told apart; kMaxQueues of them are named.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "core/runtime/event.h"
#include "relay/control/selection.h"
#include "relay/control/views.h"
#include "relay/message/message.h"

namespace relay {

class QueueCount {
  public:
    QueueCount(core::Reactor& reactor, Selection selection)
        : selection_(std::move(selection)), done_(reactor) {}

    // order: the id of the one that suspends it; empty: it waits for a time.
    void add(const Recipient& recipient, const MailFacts& mail, std::string_view order);
    void done() { done_.set(); }
    core::Event& ended() { return done_; }
    QueuesView take();

  private:
    Selection selection_;
    std::unordered_map<std::string, QueueView> queues_;
    QueuesView view_;
    core::Event done_;
};

}  // namespace relay
