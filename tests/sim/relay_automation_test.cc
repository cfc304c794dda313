// Automation: replies of simulated receivers match rules of a shaping file, and what is asked for
// happens to the path, for its time, on one shard and on several; other paths notice nothing.
#include <cstdio>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/control/order_book.h"
#include "relay/limits/token_bucket.h"
#include "relay/shaping/built_in.h"
#include "tests/sim/sim_town.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::string rule(const std::string& table, const std::string& action,
                 const std::string& trigger = "\"Immediate\"", const std::string& duration = "1h") {
    return "[[" + table + ".automation]]\nregex = 'slow down'\naction = " + action +
           "\ntrigger = " + trigger + "\nduration = \"" + duration + "\"\n";
}

RelayOptions options_with(std::string shaping) {
    RelayOptions options;
    options.limits.connection_limit = 20;
    options.limits.max_message_rate = {1'000'000, seconds{1}};
    options.limits.max_connection_rate = {1'000'000, seconds{1}};
    options.intervals = {seconds{10}};
    options.shaping = std::move(shaping);
    return options;
}

// One receiver for one.example, which refuses some contents, and one for two.example, which never
// does.
struct Receivers : Town {
    Receivers(const std::string& shaping, std::size_t shards, MxOptions server = {},
              relay::ActionSink* orders = nullptr)
        : Town(with(shaping, orders), shards) {
        zone.add_mx("one.example", 10, "mx1.example");
        zone.add_mx("two.example", 10, "mx2.example");
        server.script = [this](const Moment& moment) { return answer(moment); };
        add_server(1, std::move(server));
        add_server(2, {.content_delay = milliseconds{5}});
    }
    ~Receivers() { servers.front()->options().script = {}; }

    static RelayOptions with(const std::string& shaping, relay::ActionSink* orders) {
        RelayOptions options = options_with(shaping);
        options.orders = orders;
        return options;
    }
    Verdict answer(const Moment& moment) {
        if (moment.stage != stage || refusals == 0) return {};
        --refusals;
        return {.reply = reply, .ending = ending};
    }
    std::size_t taken(std::size_t server) const { return servers[server]->ledger().size(); }
    std::size_t taken_in(core::Duration time) {
        const std::size_t before = taken(0);
        world.run_for(time);
        return taken(0) - before;
    }
    std::uint64_t actions(relay::AutomationVerb verb) {
        return relay.metrics().automation().actions[static_cast<std::size_t>(verb)].value();
    }

    int refusals = 0;
    Stage stage = Stage::content;
    std::string reply = "451 4.7.1 slow down";
    Verdict::Ending ending = {};
};

class RelayAutomation : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(shards, RelayAutomation, testing::Values(1, 8),
                         testing::PrintToStringParamName());

TEST_P(RelayAutomation, a_suspended_path_waits_for_its_time_and_others_go_on) {
    Receivers town(rule("default", "\"Suspend\""), GetParam(), {.content_delay = milliseconds{50}});
    town.refusals = 1;
    town.inject(2000, "one.example");
    town.inject(500, "two.example");
    town.world.run_for(minutes{2});
    const std::size_t before = town.taken(0);
    EXPECT_LT(before, 500U);
    EXPECT_EQ(town.taken(1), 500U);
    EXPECT_EQ(town.world.network().connections_to(address_of(1)), 0U);
    EXPECT_EQ(town.relay.metrics().automation().suspended_paths.value(), 1);
    const auto running = town.relay.actions().actions();
    ASSERT_EQ(running->all().size(), 1U);
    EXPECT_EQ(running->all()[0].place, "shaping.toml:1");
    EXPECT_EQ(running->all()[0].reply, "451 4.7.1 slow down");
    town.inject(100, "one.example");  // mail that comes meanwhile waits too
    EXPECT_EQ(town.taken_in(minutes{57}), 0U);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    EXPECT_EQ(town.relay.metrics().automation().suspended_paths.value(), 0);
    EXPECT_EQ(town.relay.count("TransientFailure"), 1U);
    town.expect_clean();
}

TEST_P(RelayAutomation, the_nth_reply_within_the_period_is_the_trigger_whichever_shard_sees_it) {
    Receivers town(rule("default", "\"Suspend\"", "{Threshold=\"5/hr\"}"), GetParam(),
                   {.content_delay = milliseconds{5}});
    town.refusals = 4;
    town.inject(2000, "one.example");
    EXPECT_TRUE(town.relay.run_until_drained(minutes{5}));
    EXPECT_EQ(town.actions(relay::AutomationVerb::suspend), 0U);
    town.refusals = 1;
    town.inject(2000, "one.example");
    town.world.run_for(minutes{5});
    EXPECT_EQ(town.actions(relay::AutomationVerb::suspend), 1U);
    EXPECT_LT(town.taken(0), 3000U);
    EXPECT_TRUE(town.relay.run_until_drained(hours{2}));
    town.expect_clean();
}

TEST_P(RelayAutomation, an_option_is_set_for_a_time) {
    Receivers town(rule("default", "{SetConfig={name=\"max_message_rate\", value=\"60/min\"}}"),
                   GetParam(), {.content_delay = milliseconds{5}});
    town.refusals = 1;
    town.inject(8000, "one.example");
    town.world.run_for(seconds{2});
    const std::size_t taken = town.taken_in(minutes{10});
    EXPECT_GE(taken, 590U);
    EXPECT_LE(taken, 620U);
    town.inject(100, "two.example");
    town.world.run_for(seconds{10});
    EXPECT_EQ(town.taken(1), 100U);
    town.world.run_for(minutes{50});
    EXPECT_TRUE(town.relay.run_until_drained(minutes{2}));
    town.expect_clean();
}

TEST_P(RelayAutomation, fewer_connections_for_a_time) {
    Receivers town(
        rule("default", "{SetConfig={name=\"connection_limit\", value=1}}", "\"Immediate\"", "10m"),
        GetParam(), {.content_delay = seconds{1}});
    town.refusals = 1;
    town.inject(3000, "one.example");
    town.world.run_for(seconds{30});
    for (int i = 0; i < 8; ++i) {
        town.world.run_for(minutes{1});
        EXPECT_LE(town.world.network().connections_to(address_of(1)), 1U);
    }
    town.world.run_for(minutes{3});
    EXPECT_GT(town.world.network().connections_to(address_of(1)), 4U);
    EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
    town.expect_clean();
}

TEST_P(RelayAutomation, a_path_is_reduced_and_recovers) {
    Receivers town(
        rule("default", "\"PosthasteReduce\"") + "[default]\nmax_message_rate = \"60/min\"\n",
        GetParam(), {.content_delay = milliseconds{5}});
    const auto in_four_minutes = [&] { return static_cast<double>(town.taken_in(minutes{4})); };
    town.inject(4500, "one.example");
    town.world.run_for(seconds{10});
    EXPECT_NEAR(in_four_minutes(), 240, 3);
    town.refusals = 1;
    town.world.run_for(seconds{5});
    EXPECT_NEAR(in_four_minutes(), 120, 3);
    town.refusals = 1;
    town.world.run_for(seconds{5});
    EXPECT_NEAR(in_four_minutes(), 60, 3);
    town.world.run_for(minutes{28});
    const double half_way = in_four_minutes();
    EXPECT_GT(half_way, 110);
    EXPECT_LT(half_way, 150);
    town.world.run_for(minutes{33});
    EXPECT_NEAR(in_four_minutes(), 240, 3);
    EXPECT_EQ(town.actions(relay::AutomationVerb::reduce), 2U);
    EXPECT_TRUE(town.relay.run_until_drained(hours{4}));
    town.expect_clean();
}

TEST_P(RelayAutomation, replies_of_one_moment_reduce_once) {
    Receivers town(rule("default", "\"PosthasteReduce\""), GetParam(),
                   {.content_delay = milliseconds{500}});
    town.refusals = 20;
    town.inject(400, "one.example");
    town.world.run_for(seconds{5});
    EXPECT_EQ(town.actions(relay::AutomationVerb::reduce), 1U);
    EXPECT_EQ(town.relay.actions().actions()->all().at(0).level, 0.5);
    EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
    town.expect_clean();
}

TEST_P(RelayAutomation, a_rule_of_a_provider_acts_on_all_its_sites) {
    const std::string provider = "[provider.p]\nmatch = [{MXSuffix=\".p.example\"}]\n";
    Town town(options_with(provider + rule("provider.p", "\"Suspend\"", "{Threshold=\"3/hr\"}")),
              GetParam());
    int refusals = 0;
    for (int i = 0; i < 3; ++i) {
        const std::string host = "mx" + std::to_string(i) + ".p.example";
        town.zone.add_mx("d" + std::to_string(i) + ".example", 10, host);
        town.zone.add_address(host, address_of(1).ip);
    }
    town.zone.add_mx("two.example", 10, "mx2.example");
    SimMx& server = town.add_server(1, {.script = [&refusals](const Moment& moment) -> Verdict {
                                        if (moment.stage != Stage::content || refusals == 0)
                                            return {};
                                        --refusals;
                                        return {.reply = "421 4.7.0 slow down"};
                                    }});
    town.add_server(2);
    refusals = 3;
    for (int i = 0; i < 3; ++i) {  // one refusal at each site
        town.inject(1, "d" + std::to_string(i) + ".example");
        town.world.run_for(seconds{1});
    }
    for (int i = 0; i < 3; ++i)
        town.inject(50, "d" + std::to_string(i) + ".example");
    town.inject(50, "two.example");
    town.world.run_for(minutes{50});
    EXPECT_EQ(server.ledger().size(), 0U);
    EXPECT_EQ(town.servers[1]->ledger().size(), 50U);
    EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
    server.options().script = {};
    town.expect_clean();
}

TEST_P(RelayAutomation, what_a_server_says_to_end_a_session_counts) {
    for (const Stage stage : {Stage::greeting, Stage::mail, Stage::rcpt}) {
        Receivers town(rule("default", "\"Suspend\""), GetParam());
        town.inject(20, "one.example");  // it worked
        EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
        town.world.run_for(minutes{2});  // no connection is left
        town.stage = stage;
        town.reply = "421 4.7.0 slow down";
        town.ending = Verdict::Ending::close;
        town.refusals = 1;
        town.inject(20, "one.example");
        town.world.run_for(minutes{1});
        EXPECT_EQ(town.actions(relay::AutomationVerb::suspend), 1U) << static_cast<int>(stage);
        EXPECT_TRUE(town.relay.run_until_drained(hours{2}));
        town.expect_clean();
    }
}

TEST_P(RelayAutomation, our_own_words_count_where_the_rule_says_so) {
    const std::string internal =
        "[[default.automation]]\nregex = 'refused'\naction = \"Suspend\"\nduration = \"2h\"\n";
    for (const bool matches : {false, true}) {
        Receivers town(internal + (matches ? "match_internal = true\n" : ""), GetParam());
        town.world.network().set_planner(
            [](const Opening&) { return plan_of(ConnectResult::refuse); });
        town.inject(1, "one.example");
        town.world.run_for(minutes{1});
        EXPECT_EQ(town.actions(relay::AutomationVerb::suspend), matches ? 1U : 0U);
        town.world.network().set_planner({});
        EXPECT_EQ(town.relay.run_until_drained(hours{1}), !matches);
        EXPECT_TRUE(town.relay.run_until_drained(hours{2}));
        town.expect_clean();
    }
}

TEST_P(RelayAutomation, a_reload_keeps_what_runs_and_takes_the_rules_of_the_new_file) {
    Receivers town(rule("default", "{SetConfig={name=\"max_message_rate\", value=\"60/min\"}}"),
                   GetParam(), {.content_delay = milliseconds{5}});
    town.refusals = 1;
    town.inject(4000, "one.example");
    town.world.run_for(seconds{5});
    town.relay.reload("[default]\nconnection_limit = 3\n");  // without the rule
    EXPECT_NEAR(static_cast<double>(town.taken_in(minutes{2})), 120, 5);
    const std::uint64_t number = town.relay.actions().actions()->all().at(0).number;
    town.relay.reload(rule("default", "\"Suspend\""));
    EXPECT_TRUE(town.relay.actions().end(number));  // as an operator does
    town.world.run_for(seconds{1});
    EXPECT_GT(town.taken_in(milliseconds{500}), 50U);
    town.refusals = 1;
    town.world.run_for(minutes{1});
    EXPECT_EQ(town.actions(relay::AutomationVerb::suspend), 1U);
    EXPECT_TRUE(town.relay.run_until_drained(hours{2}));
    town.expect_clean();
}

// A receiver that says in the middle of sessions that mail comes too fast. Nobody told us its rate.
TEST_P(RelayAutomation, a_rate_that_a_receiver_shows_is_learned_by_the_built_in_rules) {
    for (const std::uint64_t rate : {2U, 20U}) {
        Receivers town(std::string(relay::built_in_shaping_text()), GetParam());
        town.relay.reload(std::string(relay::built_in_shaping_text()) +
                          "\n[default]\nmax_message_rate = \"100/s\"\nconnection_limit = 5\n");
        relay::TokenBucket allowed({rate, seconds{1}}, rate);
        std::size_t refused = 0;
        town.servers.front()->options().script = [&](const Moment& moment) -> Verdict {
            if (moment.stage != Stage::mail || allowed.try_take(town.world.shard().now()))
                return {};
            ++refused;
            return {.reply = "421 4.7.0 too many messages, slow down",
                    .ending = Verdict::Ending::close};
        };
        const int messages = static_cast<int>(rate) * 3600;
        town.inject(messages, "one.example");
        town.world.run_for(minutes{10});  // by then it is known
        const std::size_t taken = town.taken(0);
        const std::size_t before = refused;
        town.world.run_for(minutes{40});
        const auto all = static_cast<double>(town.taken(0) - taken);
        const double share = all / static_cast<double>(rate) / 2400;
        std::printf("| %llu a second | %zu shards | %.0f %% of it | %.1f %% refused |\n",
                    static_cast<unsigned long long>(rate), GetParam(), 100 * share,
                    100 * static_cast<double>(refused - before) / all);
        EXPECT_GE(share, 0.5);
        EXPECT_LE(static_cast<double>(refused - before), 0.05 * all);
        town.servers.front()->options().script = {};
        EXPECT_TRUE(town.relay.run_until_drained(hours{12}));
        town.expect_clean();
    }
}

// As shard 0 of a node does it.
struct Orders final : relay::ActionSink {
    void order(const relay::RunningAction& action) override {
        ASSERT_FALSE(action.is_of_path());
        auto order = relay::check_order({.id = std::to_string(all.size() + 1),
                                         .kind = action.verb == relay::AutomationVerb::bounce
                                                     ? relay::OrderKind::bounce
                                                     : relay::OrderKind::suspend,
                                         .selection = {.tenant = action.tenant,
                                                       .campaign = action.campaign,
                                                       .domain = action.domain},
                                         .given = action.triggered,
                                         .expires = action.until});
        ASSERT_TRUE(order.has_value());
        all.push_back(std::move(*order));
    }
    std::vector<relay::Order> all;
};

TEST_P(RelayAutomation, a_suspended_tenant_waits_whose_reply_it_was) {
    for (const Stage stage : {Stage::content, Stage::mail}) {
        Orders orders;
        relay::TenantTable tenants;
        int number = 0;
        RelayOptions options = Receivers::with(rule("default", "\"SuspendTenant\""), &orders);
        options.prepare = [&](relay::Message& message) {
            message.edit_labels().tenant = &tenants.intern(++number == 11 ? "noisy" : "quiet");
        };
        Town town(std::move(options), GetParam());
        town.zone.add_mx("one.example", 10, "mx1.example");
        SimMx& server = town.add_server(1);
        town.inject(10, "one.example");  // so that a session has completed something
        EXPECT_TRUE(town.relay.run_until_drained(seconds{5}));
        server.options().script = [stage](const Moment& moment) -> Verdict {
            if (moment.stage != stage) return {};
            return {.reply = "421 4.7.1 slow down", .ending = Verdict::Ending::close};
        };
        town.inject(1, "one.example");
        town.world.run_for(seconds{5});
        server.options().script = {};
        ASSERT_EQ(orders.all.size(), 1U);
        EXPECT_EQ(orders.all[0].selection,
                  (relay::Selection{.tenant = "noisy", .domain = "one.example"}));
        town.relay.use_orders(std::move(orders.all));
        town.inject(20, "one.example");
        town.world.run_for(minutes{30});
        EXPECT_EQ(town.relay.suspended(), 1U);
        EXPECT_EQ(server.ledger().size(), 30U);
        town.relay.use_orders({});
        EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
        town.expect_clean();
    }
}

TEST_P(RelayAutomation, mail_to_the_domain_of_the_reply_is_bounced) {
    Orders orders;
    Receivers town(rule("default", "\"Bounce\""), GetParam(), {}, &orders);
    town.refusals = 1;
    town.inject(1, "one.example");
    town.world.run_for(seconds{5});
    ASSERT_EQ(orders.all.size(), 1U);
    EXPECT_EQ(orders.all[0].kind, relay::OrderKind::bounce);
    EXPECT_EQ(orders.all[0].expires - orders.all[0].given, hours{1});
    town.relay.use_orders(std::move(orders.all));
    town.inject(20, "one.example");
    town.inject(20, "two.example");
    EXPECT_TRUE(town.relay.run_until_drained(minutes{5}));
    EXPECT_EQ(town.relay.count("Delivery"), 20U);
    EXPECT_EQ(town.taken(0), 0U);
}

}  // namespace
}  // namespace sim
