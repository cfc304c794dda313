// Origin: the life of the messages that a shard accepted: commit, route, hand over, settle. It
// hands recipients to the home shard of their path, takes them home with a disposition, and records
// what is final. Messages are in its MessageStore, what waits for a time in its Schedule. One per
// shard, on its thread. It is the Acceptance of its shard's listeners. With a spool, commit()
// returns when the message is durable, outcomes are noted there, and recovered() takes what an
// earlier run left; without one (durability "memory") nothing is promised beyond the life of the
// process. Limits: memory_limit octets (refused with memory_full above it); what the spool refuses.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "metrics/shard_metrics.h"
#include "relay/bounce/classifier.h"
#include "relay/control/order_set.h"
#include "relay/control/views.h"
#include "relay/events/event_writer.h"
#include "relay/intake/acceptance.h"
#include "relay/message/reply_pool.h"
#include "relay/origin/delivery_reports.h"
#include "relay/origin/held_mail.h"
#include "relay/routing/exchange.h"
#include "relay/routing/router.h"
#include "relay/schedule/schedule.h"
#include "relay/schedule/suspended_mail.h"
#include "relay/spool/spool.h"
#include "relay/store/message_store.h"

namespace relay {

struct OriginOptions {
    std::size_t memory_limit = std::size_t{1} << 30;  // of this shard
    std::string hostname = "localhost";               // in notifications
    core::Duration delay_warning{};                   // zero: senders are not told of delays
};

class QueueCount;

class Origin final : public Acceptance,
                     public OriginEnd,
                     public RouteReceiver,
                     public MessageKeeper,
                     public ReportedMail,
                     public RecoveredMail,
                     public HeldMailOwner {
  public:
    // Requests for "retry now" that wait for a walk under way; the oldest gives way.
    static constexpr std::size_t kMaxRetriesWaiting = 100;

    Origin(core::Shard& shard, OriginOptions options, const RetrySchedule& intervals,
           TenantTable& tenants, RouterParts router, Exchange& exchange, EventWriter& events,
           metrics::ShardMetrics& metrics, Spool* spool = nullptr, HeldBack* back = nullptr);
    ~Origin() override;

    // Acceptance
    std::optional<Refusal> check(std::size_t octets) const override;
    bool takes_no_mail(std::string_view domain) const override {
        return router_.takes_no_mail(domain);
    }
    std::unique_ptr<Message> begin() override { return store_.begin(); }
    void drop(std::unique_ptr<Message> message) override { store_.free(std::move(message)); }
    core::Task<std::expected<MessageId, Refusal>> commit(std::unique_ptr<Message> message) override;

    // OriginEnd: a recipient comes home; a path will send one next, whose content left memory.
    void take(Recipient& recipient) override;
    void prepare(Recipient& recipient) override;

    // A reload: routes, limits and schedules of destinations, and bounce rules, for what is routed
    // or settled from now on.
    void use(std::shared_ptr<const CheckedConfig> checked);

    // The orders in force from now on: what they suspend waits until they end, without an attempt;
    // what they bounce is given up, new and old. Before start, or later.
    void use_orders(std::shared_ptr<const OrderSet> orders);
    // What waits for a time, and matches, goes now; in slices. What is suspended stays.
    void retry_now(Selection selection);

    // ---- for operators (origin_views.cc)
    // What waits for a time or an order and is selected, by domain, tenant and campaign; in slices.
    core::Task<QueuesView> count_queues(Selection selection);
    // None: it is not queued here.
    core::Task<std::optional<MessageView>> view_message(MessageId id);

    // RecoveredMail: what an earlier run accepted.
    void recovered(std::unique_ptr<Message> message) override;
    ReplyPool& replies() override { return replies_; }
    // And Acceptance.
    const Tenant& tenant(std::string_view name) override { return tenants_.intern(name); }
    const TenantPolicies& tenant_policies() const override { return *tenant_policies_; }
    // The oldest message that is queued; WallTime{} when none is.
    core::WallTime oldest() { return store_.oldest(); }

    // Draining: check() refuses from now on; content that is arriving may still be committed.
    void start_draining() { draining_ = true; }
    // The listeners are closed, or as good as: commit() refuses too.
    void stop_accepting() { draining_ = accepting_over_ = true; }
    // Closing: nobody is sent out any more; who comes home untried stays.
    void start_closing();
    // Nobody on the way: every recipient left waits for a time (or none is left). With a deadline.
    core::Task<bool> settled(core::Instant deadline);
    // Commits the notifications that are still to be made; the spool is open.
    core::Task<void> end_reports();
    // After the paths are closed: forgets what is left, which a spool keeps, and answers how many
    // recipients that were. Recovery and the spool's house-keeping have ended.
    core::Task<std::size_t> close();

    std::size_t messages() const { return store_.size() + committing_; }
    std::size_t scheduled() const { return schedule_.size() + suspended_.size(); }
    std::size_t suspended() const { return suspended_.size(); }
    std::size_t memory() const { return store_.memory(); }
    const Router& router() const { return router_; }

  private:
    void routed(Recipient& recipient) override;
    void unroutable(Recipient& recipient) override;
    void dispatch(Recipient& recipient);
    // ---- orders (origin_orders.cc)
    const Order* order_for(const Recipient& recipient) const;
    bool meets_order(Recipient& recipient);
    bool meets_bounce(Recipient& recipient);
    void bounce_by(const Order& order, Recipient& recipient);
    void look_through_scheduled();
    core::Task<void> keep_looking();
    Sifted look_at(Recipient& recipient, const std::vector<Selection>& retries,
                   const std::vector<QueueCount*>& counts);

    void settle(Recipient& recipient);
    void came_home(Recipient& recipient);
    void conclude(Recipient& recipient);
    void defer(Recipient& recipient, const BounceVerdict& verdict);
    // The one place that says by which schedule a recipient is tried again: that of its
    // destination, then that of its tenant, or none, and then [retry]'s.
    std::shared_ptr<const RetryRule> rule_of(const Recipient& recipient) const;
    void quote_last_reply(Recipient& recipient);
    void finish(Recipient& recipient, const BounceVerdict& verdict);
    void tell_outcome(const Recipient& recipient, const BounceVerdict& verdict);
    void free_message(Message& message);
    void note(Recipient& recipient, Outcome outcome);
    core::Task<void> read_back(Recipient* recipient);
    core::Task<bool> hold_content(Message& message) override { return store_.hold(message); }
    void let_content_go(Message& message) override { MessageStore::let_go(message); }
    void free_moved(Message& message) override { free_message(message); }
    void record(Recipient& recipient, Outcome outcome) override;
    void let_go(Message& message) override;
    void schedule_recovered(Recipient& recipient, Schedule::Overdue overdue);
    core::Task<void> schedule_many(Message* message, Schedule::Overdue overdue);
    core::Task<void> let_out(Message& message) override;
    InHand::Note take_in_hand(const Message& message) override;

    core::Shard& shard_;
    OriginOptions options_;
    TenantTable& tenants_;
    std::shared_ptr<const TenantPolicies> tenant_policies_;
    Exchange& exchange_;
    EventWriter& events_;
    metrics::ShardMetrics& metrics_;
    BounceClassifier classifier_;
    Router router_;
    Schedule schedule_;
    SuspendedMail suspended_;
    std::shared_ptr<const OrderSet> orders_;  // null: there are none
    std::vector<Selection> retries_;          // for the next walk
    std::vector<QueueCount*> counts_;         // likewise
    bool looking_ = false;                    // a walk through the schedule is under way
    bool look_again_ = false;
    ReplyPool replies_;
    Spool* spool_;  // null: durability "memory"
    MessageStore store_;
    HeldMail held_;
    InHand* in_hand_;             // null: nothing is noted
    std::size_t committing_ = 0;  // messages that are not in the store yet
    std::size_t on_the_way_ = 0;  // recipients routed, ready or in flight
    core::Event came_to_rest_;
    core::TaskGroup preparing_;
    core::TaskGroup walks_;  // through recipients of large messages
    core::TaskGroup trials_;
    DeliveryReports reports_;
    bool draining_ = false;
    bool accepting_over_ = false;
    bool closing_ = false;
};

}  // namespace relay
