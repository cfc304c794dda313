// OrderSet: the orders in force, as every shard has them: an immutable snapshot, made by the
// OrderBook of shard 0 and replaced as a whole. An order holds as long as the set that a shard has
// contains it; who asks looks at no clock. A recipient costs nothing while there are no orders
// (empty()), and otherwise one look-up for each kind of field that orders select by, whatever
// their number: an order is found by its rarest field. A bounce goes before a suspension. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "relay/control/order.h"

namespace relay {

class OrderSet {
  public:
    OrderSet() = default;
    explicit OrderSet(std::vector<Order> orders);
    OrderSet(const OrderSet&) = delete;
    OrderSet& operator=(const OrderSet&) = delete;

    bool empty() const { return orders_.empty(); }
    const std::vector<Order>& all() const { return orders_; }
    // The order that holds for this mail; null: none. Lives as long as the set.
    const Order* match(const MailFacts& mail) const;
    bool contains(std::string_view id) const { return ids_.contains(id); }
    std::size_t count(OrderKind kind) const;

  private:
    // By what an order is found, the rarest first.
    static constexpr std::size_t kIndexes = 6;
    using Index = std::map<std::string, std::vector<const Order*>, std::less<>>;

    std::vector<Order> orders_;
    std::map<std::string_view, const Order*> ids_;
    std::array<Index, kIndexes> by_;
    std::vector<const Order*> of_all_;  // they select all mail
};

}  // namespace relay
