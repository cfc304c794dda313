#include "relay/control/order_book.h"

#include <chrono>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace relay {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr core::WallTime kNow{hours{24}};

Order order(std::string id, Selection selection, core::Duration duration = minutes{5}) {
    return {.id = std::move(id),
            .selection = std::move(selection),
            .reason = "\"because\"",
            .who = "me",
            .given = kNow,
            .expires = kNow + duration};
}

bool any(OrderKind) {
    return true;
}

TEST(OrderBook, an_order_holds_until_it_ends) {
    OrderBook book;
    EXPECT_TRUE(book.snapshot()->empty());
    ASSERT_TRUE(book.give(order("1", {.tenant = "a"})));
    EXPECT_EQ(book.snapshot()->all().size(), 1U);
    EXPECT_FALSE(book.end("2", any));
    EXPECT_FALSE(book.end("1", [](OrderKind kind) { return kind == OrderKind::bounce; }));
    EXPECT_EQ(book.end("1", any)->selection.tenant, "a");
    EXPECT_TRUE(book.snapshot()->empty());
}

TEST(OrderBook, an_order_expires) {
    OrderBook book;
    ASSERT_TRUE(book.give(order("1", {.tenant = "a"}, minutes{5})));
    ASSERT_TRUE(book.give(order("2", {.tenant = "b"}, hours{1})));
    EXPECT_EQ(book.next_expiry(), kNow + minutes{5});
    EXPECT_FALSE(book.expire(kNow + minutes{4}));
    EXPECT_TRUE(book.expire(kNow + minutes{5}));
    EXPECT_EQ(book.find("1"), nullptr);
    EXPECT_EQ(book.next_expiry(), kNow + hours{1});
    EXPECT_TRUE(book.expire(kNow + hours{2}));
    EXPECT_EQ(book.next_expiry(), std::nullopt);
}

TEST(OrderBook, to_give_an_order_again_prolongs_it) {
    OrderBook book;
    ASSERT_TRUE(book.give(order("1", {.tenant = "a"})));
    const auto again = book.give(order("2", {.tenant = "a"}, hours{1}));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->id, "1");
    EXPECT_EQ(book.size(), 1U);
    EXPECT_EQ(book.next_expiry(), kNow + hours{1});
    Order bounce = order("3", {.tenant = "a"});
    bounce.kind = OrderKind::bounce;
    EXPECT_EQ(book.give(bounce)->id, "3");
}

// A reply that came just after an operator's command cut a day to ten minutes.
TEST(OrderBook, a_rule_prolongs_what_an_operator_ordered_and_does_not_shorten_it) {
    OrderBook book;
    ASSERT_TRUE(book.give(order("1", {.tenant = "a"}, hours{24})));
    Order by_rule = order("2", {.tenant = "a"}, minutes{10});
    by_rule.who = kAutomation;
    const auto still = book.give(by_rule);
    ASSERT_TRUE(still);
    EXPECT_EQ(still->id, "1");
    EXPECT_EQ(still->who, "me");
    EXPECT_EQ(still->expires, kNow + hours{24});
    by_rule.expires = kNow + hours{48};
    EXPECT_EQ(book.give(by_rule)->expires, kNow + hours{48});
}

TEST(OrderBook, a_full_book_takes_no_more_and_says_so) {
    OrderBook book;
    for (std::size_t i = 0; i < OrderBook::kMaxOrders; ++i)
        ASSERT_TRUE(book.give(order(std::to_string(i), {.tenant = std::to_string(i)})));
    EXPECT_EQ(book.give(order("x", {.tenant = "x"})).error(),
              "there are 2000 suspensions and bounces already, and no more are kept; end one "
              "first");
    EXPECT_TRUE(book.give(order("y", {.tenant = "7"})));  // it takes no further place
}

TEST(OrderBook, its_text_is_read_back_as_it_was) {
    OrderBook book;
    Order path = order("1", {.site = "mx.one.example", .source = "ip-1"});
    path.kind = OrderKind::suspend_path;
    ASSERT_TRUE(book.give(path));
    Order bounce = order("2", {.tenant = "a", .campaign = "c", .domain = "d.example"}, hours{3});
    bounce.kind = OrderKind::bounce;
    ASSERT_TRUE(book.give(bounce));
    OrderBook read;
    ASSERT_TRUE(read.read(book.text(), kNow));
    EXPECT_EQ(*read.find("1"), path);
    EXPECT_EQ(*read.find("2"), bounce);
    ASSERT_TRUE(read.read(book.text(), kNow + hours{1}));
    EXPECT_EQ(read.size(), 1U);  // the other one is over
}

TEST(OrderBook, a_text_that_is_damaged_changes_nothing) {
    OrderBook book;
    ASSERT_TRUE(book.give(order("1", {.tenant = "a"})));
    EXPECT_EQ(book.read("hello", kNow).error(),
              "line 1 is not {\"posthaste\":\"orders\",\"version\":1}");
    const std::string text = OrderBook().text() + "{\"id\":\"2\"\n";
    EXPECT_TRUE(book.read(text, kNow).error().starts_with("line 2: "));
    EXPECT_TRUE(
        book.read(OrderBook().text() + "{\"id\":\"2\"}\n", kNow).error().starts_with("line 2: "));
    EXPECT_EQ(book.size(), 1U);
}

TEST(OrderBook, what_is_wrong_with_an_order_is_said) {
    Order path = order("1", {});
    path.kind = OrderKind::suspend_path;
    EXPECT_EQ(check_order(path).error(), "site is missing: whose path is to be suspended");
    Order bounce = order("1", {});
    bounce.kind = OrderKind::bounce;
    EXPECT_TRUE(check_order(bounce).error().starts_with("a bounce needs a domain, tenant"));
    EXPECT_EQ(check_order(order("1", {.domain = "-"})).error(),
              "domain \"-\" is not a domain such as \"example.com\"");
    EXPECT_EQ(check_order(order("1", {}, {})).error(), "duration must be longer than nothing");
    EXPECT_EQ(check_order(order("1", {}, hours{24 * 367})).error(),
              "duration must not be longer than 366d");
    Order long_reason = order("1", {});
    long_reason.reason = std::string(501, 'x');
    EXPECT_EQ(check_order(long_reason).error(), "reason must be one line of at most 500 octets");
    EXPECT_EQ(check_order(order("1", {.domain = "One.Example"}))->selection.domain, "one.example");
}

}  // namespace
}  // namespace relay
