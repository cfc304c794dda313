// OrderBook: the orders in force and those that give, change and end them. Owned by shard 0, which
// broadcasts its snapshot() to each shard and keeps its text() in a file, so that they survive the
// process. An order for what another one of its kind selects already replaces that one and keeps
// its id: to give it again is to prolong it. Pure: the caller passes the time and fresh ids.
// Limit: kMaxOrders; a further one is refused with a sentence.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/time.h"
#include "relay/control/order.h"
#include "relay/control/order_set.h"

namespace relay {

class OrderBook {
  public:
    static constexpr std::size_t kMaxOrders = 2'000;

    // What is in force from now on: the order with its id. It must be checked: see check_order().
    core::Result<Order> give(Order order);
    // The order that ended; none: there is no such one of these kinds.
    std::optional<Order> end(std::string_view id, bool (*of_kind)(OrderKind));
    // What is over by then ends. True: something did.
    bool expire(core::WallTime now);
    // When the next one ends; none: never.
    std::optional<core::WallTime> next_expiry() const;

    std::size_t size() const { return orders_.size(); }
    const Order* find(std::string_view id) const;
    std::shared_ptr<const OrderSet> snapshot() const;

    // One line for each order, after one that names the format.
    std::string text() const;
    // In place of all orders. What is over by then is left out. Nothing changes if it fails.
    core::Result<void> read(std::string_view text, core::WallTime now);

  private:
    std::map<std::string, Order, std::less<>> orders_;  // by id, the oldest first
};

// The order as it may be given, or what is wrong with it: limits of selection, reason and time, and
// a suspend-path without a site, or a bounce that selects all mail.
core::Result<Order> check_order(Order order);

}  // namespace relay
