// Origin: what a shard does with the messages it accepted. It owns each message until every
// recipient is final: routes recipients, hands them to the home shard of their path, takes them
// home with a disposition, schedules what is deferred, records what is final. One per shard, on its
// thread. It is the Acceptance of its shard's listeners. With durability "memory" commit() promises
// nothing beyond the life of the process. Limits: memory_limit octets of messages (refused with
// memory_full above it).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "core/base/intrusive_list.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "metrics/shard_metrics.h"
#include "relay/events/event_writer.h"
#include "relay/inject/acceptance.h"
#include "relay/queue/delivery_reports.h"
#include "relay/queue/exchange.h"
#include "relay/queue/reply_pool.h"
#include "relay/queue/retry_schedule.h"
#include "relay/queue/router.h"
#include "relay/queue/scheduled_queue.h"

namespace relay {

struct OriginOptions {
    std::size_t memory_limit = std::size_t{1} << 30;  // of this shard
    std::string hostname = "localhost";               // in notifications
    core::Duration delay_warning{};                   // zero: senders are not told of delays
};

class Origin final : public Acceptance, public RecipientTaker, public RouteReceiver {
  public:
    Origin(core::Shard& shard, OriginOptions options, const RetrySchedule& schedule,
           RouterParts router, Exchange& exchange, EventWriter& events,
           metrics::ShardMetrics& metrics);
    ~Origin() override;

    // Acceptance
    std::optional<Refusal> check(std::size_t octets) const override;
    std::unique_ptr<Message> begin() override;
    core::Task<std::expected<MessageId, Refusal>> commit(std::unique_ptr<Message> message) override;

    // RecipientTaker: a recipient comes home.
    void take(Recipient& recipient) override;

    // Draining: check() refuses from now on; content that is arriving may still be committed.
    void start_draining() { draining_ = true; }
    // The listeners are closed, or as good as: commit() refuses too.
    void stop_accepting() { draining_ = accepting_over_ = true; }
    // Closing: nobody is sent out any more; who comes home untried stays.
    void start_closing() { closing_ = true; }
    // Nobody on the way: every recipient left waits for a time (or none is left). With a deadline.
    core::Task<bool> settled(core::Instant deadline);
    // After the paths are closed: frees what is left and answers how many recipients that were.
    core::Task<std::size_t> close();

    std::size_t messages() const { return messages_count_; }
    std::size_t scheduled() const { return scheduled_.size(); }
    std::size_t memory() const { return memory_; }

  private:
    void routed(Recipient& recipient) override;
    void unroutable(Recipient& recipient) override;
    void dispatch(Recipient& recipient);
    void settle(Recipient& recipient);
    void defer(Recipient& recipient);
    void quote_last_reply(Recipient& recipient);
    void finish(Recipient& recipient, metrics::Outcome outcome);
    void free_message(Message& message);
    void publish_oldest();

    core::Shard& shard_;
    OriginOptions options_;
    const RetrySchedule& schedule_;
    Exchange& exchange_;
    EventWriter& events_;
    metrics::ShardMetrics& metrics_;
    Router router_;
    ScheduledQueue scheduled_;
    ReplyPool replies_;
    MessageIdGenerator ids_;
    core::IntrusiveList<Message, MessageListTag> messages_;  // oldest first
    std::size_t messages_count_ = 0;
    std::size_t memory_ = 0;
    std::size_t on_the_way_ = 0;  // recipients routed, ready or in flight
    core::Event came_to_rest_;
    DeliveryReports reports_;
    bool draining_ = false;
    bool accepting_over_ = false;
    bool closing_ = false;
};

}  // namespace relay
