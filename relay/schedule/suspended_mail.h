// SuspendedMail: recipients that wait for the end of an order rather than for a time. Nobody looks
// at them meanwhile, so a suspended queue of millions costs the others nothing. When the order has
// ended they go free by core::kSlice in each turn, in the order in which they came. One per origin
// shard, owned by the Origin, which owns the recipients; it counts them as scheduled.
// Limit: none of its own; recipients are bounded by the memory limit at acceptance, and orders by
// OrderBook::kMaxOrders.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>

#include "core/runtime/reactor.h"
#include "core/runtime/task.h"
#include "metrics/shard_metrics.h"
#include "relay/control/order_set.h"
#include "relay/message/message.h"

namespace relay {

class SuspendedMail {
  public:
    // freed: is called for each recipient whose order has ended; it is the caller's again.
    SuspendedMail(core::Reactor& reactor, metrics::ShardMetrics& metrics,
                  std::function<void(Recipient&)> freed);
    ~SuspendedMail();

    void add(const Order& order, Recipient& recipient);
    // Whoever waits for an order that is not among these goes free; null: there are none.
    void release_all_but(const OrderSet* orders);
    void release_all() { release_all_but(nullptr); }

    // Shows each recipient that waits, in slices, with the id of its order; those that leave or
    // come meanwhile may be left out. It must have ended before clear().
    core::Task<void> visit_all(std::function<void(const std::string&, Recipient&)> visit);
    // Gives up all, in slices, at the end. Nothing may be added meanwhile.
    core::Task<void> clear();
    std::size_t size() const { return size_; }
    // Of one order.
    std::size_t size_of(const std::string& order) const;

  private:
    using List = core::IntrusiveList<Recipient, RecipientQueueTag>;
    struct Waiting {
        List recipients;
        std::size_t size = 0;
    };
    class Alarm final : public core::Timer {
      public:
        explicit Alarm(SuspendedMail& mail) : mail_(mail) {}
        void expire() override { mail_.free_some(); }

      private:
        SuspendedMail& mail_;
    };

    void free_some();
    Recipient& take_from(List& list);

    core::Reactor& reactor_;
    metrics::ShardMetrics& metrics_;
    std::function<void(Recipient&)> freed_;
    std::map<std::string, Waiting> waiting_;  // by the order's id
    List leaving_;                            // their order has ended
    std::size_t size_ = 0;
    Alarm alarm_{*this};
};

}  // namespace relay
