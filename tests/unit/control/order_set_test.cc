#include "relay/control/order_set.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

Order order(std::string id, OrderKind kind, Selection selection) {
    return {.id = std::move(id), .kind = kind, .selection = std::move(selection)};
}

std::string matched(const OrderSet& set, const MailFacts& mail) {
    const Order* found = set.match(mail);
    return found == nullptr ? "none" : found->id;
}

TEST(OrderSet, without_orders_nothing_matches) {
    const OrderSet set;
    EXPECT_TRUE(set.empty());
    EXPECT_EQ(matched(set, {.tenant = "a", .domain = "one.example"}), "none");
}

TEST(OrderSet, an_order_is_found_by_each_kind_of_field) {
    std::vector<Order> orders;
    orders.push_back(order("d", OrderKind::suspend, {.domain = "one.example"}));
    orders.push_back(order("t", OrderKind::suspend, {.tenant = "a"}));
    orders.push_back(order("c", OrderKind::suspend, {.campaign = "may"}));
    orders.push_back(order("s", OrderKind::suspend_path, {.site = "mx.two.example"}));
    orders.push_back(order("p", OrderKind::suspend, {.provider = "big"}));
    orders.push_back(order("e", OrderKind::suspend, {.source = "ip-1"}));
    const OrderSet set(std::move(orders));
    EXPECT_EQ(matched(set, {.domain = "ONE.example"}), "d");
    EXPECT_EQ(matched(set, {.tenant = "a", .domain = "two.example"}), "t");
    EXPECT_EQ(matched(set, {.campaign = "may", .domain = "two.example"}), "c");
    MailFacts routed{.domain = "two.example", .routed = true, .site = "MX.two.example"};
    EXPECT_EQ(matched(set, routed), "s");
    routed.hosts = "mx.two.example";
    routed.site = "table!mx.two.example";
    EXPECT_EQ(matched(set, routed), "s");
    EXPECT_EQ(matched(set, {.routed = true, .provider = "big"}), "p");
    EXPECT_EQ(matched(set, {.routed = true, .source = "ip-1"}), "e");
    EXPECT_EQ(matched(set, {.tenant = "b", .domain = "two.example"}), "none");
    EXPECT_EQ(set.count(OrderKind::suspend), 5U);
    EXPECT_TRUE(set.contains("s"));
    EXPECT_FALSE(set.contains("x"));
}

TEST(OrderSet, a_bounce_goes_before_a_suspension) {
    std::vector<Order> orders;
    orders.push_back(order("all", OrderKind::suspend, {}));
    orders.push_back(order("t", OrderKind::bounce, {.tenant = "a"}));
    const OrderSet set(std::move(orders));
    EXPECT_EQ(matched(set, {.tenant = "a"}), "t");
    EXPECT_EQ(matched(set, {.tenant = "b"}), "all");
}

}  // namespace
}  // namespace relay
