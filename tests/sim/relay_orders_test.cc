// What orders of operators do with mail (relay/control): suspend, bounce, retry now.
#include <chrono>
#include <map>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tests/sim/sim_town.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

relay::Order order(relay::OrderKind kind, relay::Selection selection, std::string id = "1") {
    return {
        .id = std::move(id), .kind = kind, .selection = std::move(selection), .reason = "a reason"};
}
relay::Order suspend(relay::Selection selection, std::string id = "1") {
    return order(relay::OrderKind::suspend, std::move(selection), std::move(id));
}
relay::Order bounce(relay::Selection selection, std::string id = "1") {
    return order(relay::OrderKind::bounce, std::move(selection), std::move(id));
}

// Two domains, each with a server of its own.
class Orders : public ::testing::TestWithParam<std::size_t> {
  protected:
    void open(RelayOptions options = {}) {
        town.emplace(std::move(options), GetParam());
        town->zone.add_mx("one.example", 10, "mx1.example");
        town->zone.add_mx("two.example", 10, "mx2.example");
    }
    std::size_t delivered(const std::string& domain) const {
        std::size_t count = 0;
        for (const Recorded& one : town->relay.events())
            count += one.type == "Delivery" && one.recipient.ends_with("@" + domain);
        return count;
    }
    relay::TenantTable tenants;  // outlives the mail
    std::optional<Town> town;
};

INSTANTIATE_TEST_SUITE_P(Shards, Orders, ::testing::Values(1, 3));

TEST_P(Orders, suspended_mail_waits_and_goes_at_once_when_the_order_ends) {
    open();
    town->add_server(1);
    town->add_server(2);
    town->relay.use_orders({suspend({.domain = "one.example"})});
    town->inject(20, "one.example");
    town->inject(20, "two.example");
    town->world.run_for(hours{3});
    EXPECT_EQ(delivered("one.example"), 0U);
    EXPECT_EQ(delivered("two.example"), 20U);
    EXPECT_EQ(town->relay.suspended(), 20U);
    town->relay.use_orders({});
    town->world.run_for(seconds{2});
    EXPECT_EQ(delivered("one.example"), 20U);
    EXPECT_EQ(town->relay.suspended(), 0U);
    for (const Recorded& one : town->relay.events()) {
        if (one.type == "Delivery") EXPECT_EQ(one.attempts, 1U) << one.line;
    }
    town->expect_clean();
}

TEST_P(Orders, a_suspended_tenant_waits_and_the_others_go) {
    int number = 0;
    open({.prepare = [&](relay::Message& message) {
        message.edit_labels().tenant = &tenants.intern(++number % 2 == 0 ? "even" : "odd");
        message.edit_labels().campaign = number % 3 == 0 ? "third" : "";
    }});
    town->add_server(1);
    town->relay.use_orders({suspend({.tenant = "even"})});
    town->inject(60, "one.example");
    town->world.run_for(hours{1});
    EXPECT_EQ(delivered("one.example"), 30U);
    town->relay.use_orders({suspend({.campaign = "third"}, "2")});
    town->world.run_for(hours{1});
    EXPECT_EQ(delivered("one.example"), 50U);
    town->relay.use_orders({});
    EXPECT_TRUE(town->relay.run_until_drained(minutes{1}));
    town->expect_clean();
}

// The site is known once the mail is routed, and mail that is ready comes back from its path.
TEST_P(Orders, a_suspended_path_lets_its_ready_mail_go_and_takes_no_more) {
    RelayOptions options;
    options.limits.max_message_rate = {1, seconds{1}};
    open(std::move(options));
    town->add_server(1);
    town->add_server(2);
    town->inject(100, "one.example");
    town->inject(10, "two.example");
    town->world.run_for(seconds{5});
    town->relay.use_orders(
        {order(relay::OrderKind::suspend_path, {.site = "mx1.example", .source = "default"})});
    town->world.run_for(seconds{2});
    const std::size_t before = delivered("one.example");
    EXPECT_LT(before, 20U);
    town->world.run_for(minutes{10});
    EXPECT_EQ(delivered("one.example"), before);
    EXPECT_EQ(town->relay.suspended(), 100 - before);
    EXPECT_EQ(delivered("two.example"), 10U);
    town->relay.use_orders({});
    EXPECT_TRUE(town->relay.run_until_drained(minutes{10}));
    town->expect_clean();
}

TEST_P(Orders, a_bounce_ends_old_mail_and_new_mail) {
    open({.intervals = {hours{1}}});
    MxOptions busy;
    busy.script = [](const Moment& moment) {
        if (moment.stage != Stage::rcpt) return Verdict{};
        return Verdict{.reply = "450 4.2.1 later"};
    };
    town->add_server(1, busy);
    town->add_server(2, busy);
    town->inject(30, "one.example");
    town->inject(30, "two.example");
    town->world.run_for(minutes{1});
    EXPECT_EQ(town->relay.count("TransientFailure"), 60U);
    town->relay.use_orders({bounce({.domain = "one.example"})});
    town->world.run_for(seconds{1});
    EXPECT_EQ(town->relay.count("AdminBounce"), 30U);
    town->inject(1, "one.example");
    town->world.run_for(seconds{1});
    const auto last = town->relay.events_of("u61@one.example");
    ASSERT_FALSE(last.empty());
    EXPECT_EQ(last.back().type, "AdminBounce");
    EXPECT_EQ(last.back().code, 551U);
    EXPECT_EQ(last.back().attempts, 0U);
    EXPECT_NE(last.back().line.find("Administrator bounced with reason: a reason"),
              std::string::npos);
    EXPECT_EQ(town->relay.waiting(), 30U);
    town->relay.use_orders({bounce({}, "2")});
    EXPECT_TRUE(town->relay.run_until_drained(minutes{1}));
}

TEST_P(Orders, a_bounce_finds_mail_that_is_suspended_or_ready) {
    RelayOptions options;
    options.limits.max_message_rate = {1, minutes{1}};
    open(std::move(options));
    town->add_server(1);
    town->add_server(2);
    town->inject(20, "one.example");
    town->relay.use_orders({suspend({.domain = "two.example"})});
    town->inject(20, "two.example");
    town->world.run_for(seconds{10});
    EXPECT_EQ(town->relay.suspended(), 20U);
    town->relay.use_orders(
        {suspend({.domain = "two.example"}), bounce({.tenant = "default"}, "2")});
    EXPECT_TRUE(town->relay.run_until_drained(minutes{2}));
    EXPECT_GE(town->relay.count("AdminBounce"), 36U);
    EXPECT_EQ(town->relay.count("AdminBounce") + town->relay.count("Delivery"), 40U);
}

TEST_P(Orders, what_is_in_flight_when_a_bounce_is_given_bounces_when_it_comes_home) {
    open({.intervals = {hours{1}}});
    MxOptions slow;
    slow.script = [](const Moment& moment) {
        if (moment.stage != Stage::rcpt) return Verdict{};
        return Verdict{.reply = "450 4.2.1 later", .delay = seconds{5}};
    };
    town->add_server(1, slow);
    town->inject(1, "one.example");
    town->world.run_for(seconds{2});
    town->relay.use_orders({bounce({.domain = "one.example"})});
    EXPECT_TRUE(town->relay.run_until_drained(minutes{1}));
    EXPECT_EQ(town->relay.count("TransientFailure"), 1U);
    EXPECT_EQ(town->relay.count("AdminBounce"), 1U);
}

TEST_P(Orders, retry_now_sends_what_matches_and_leaves_the_rest) {
    bool away = true;
    MxOptions options;
    options.script = [&away](const Moment& moment) {
        if (moment.stage != Stage::rcpt || !away) return Verdict{};
        return Verdict{.reply = "450 4.2.1 later"};
    };
    open({.intervals = {hours{2}}});
    town->add_server(1, options);
    town->add_server(2, options);
    town->inject(10, "one.example");
    town->inject(10, "two.example");
    town->world.run_for(minutes{1});
    away = false;
    town->relay.retry_now({.site = "mx1.example"});
    town->world.run_for(minutes{1});
    EXPECT_EQ(delivered("one.example"), 10U);
    EXPECT_EQ(delivered("two.example"), 0U);
    EXPECT_TRUE(town->relay.run_until_drained(hours{3}));
    town->expect_clean();
}

TEST_P(Orders, suspended_mail_is_left_behind_by_a_drain) {
    open();
    town->add_server(1);
    town->relay.use_orders({suspend({})});
    town->inject(700, "one.example");
    town->world.run_for(minutes{1});
    EXPECT_EQ(town->relay.suspended(), 700U);
    EXPECT_TRUE(town->relay.close());
    EXPECT_EQ(delivered("one.example"), 0U);
}

}  // namespace
}  // namespace sim
