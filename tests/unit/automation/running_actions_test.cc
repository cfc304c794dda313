#include "relay/automation/running_actions.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

using namespace std::chrono_literals;
using Taken = RunningActions::Taken;

const core::WallTime kStart{480'000h};

class RunningActionsTest : public testing::Test {
  protected:
    void load(const std::string& action, const std::string& table = "default") {
        const auto loaded = ShapingPolicy::parse(
            {{"s.toml", "[provider.p]\nmatch = [{MXSuffix=\".p.example\"}]\n[[" + table +
                            ".automation]]\nregex = '.'\naction = " + action +
                            "\nduration = \"1h\"\n"}},
            {});
        ASSERT_TRUE(loaded.has_value()) << loaded.error().front().to_string();
        book = *ReplyRules::compile(loaded->policy);
    }
    RuleHit hit(ActionScope scope = {"default", "", "mx.example"}) const {
        Disposition said;
        said.reply = {421, {}, "x"};
        const auto of = book->of({.table = {}, .provider = "p"});
        return {book,     of.match(said).at(0), std::move(scope), "421 slow \"down\"\n\xff", "acme",
                "spring", "a.example"};
    }
    Taken take(core::WallTime now, std::size_t place = 0) {
        return running.take(hit(), place, now, &last);
    }
    ShapingLimits limits(const RunningActions& actions, std::string_view site = "mx.example",
                         std::string_view provider = "") const {
        ShapingLimits now;
        effect = actions.snapshot()->apply("default", provider, site, now);
        return now;
    }

    std::shared_ptr<const ReplyRules> book;
    RunningActions running;
    const RunningAction* last = nullptr;
    mutable ActionSet::Effect effect;
};

TEST_F(RunningActionsTest, a_suspension_holds_for_its_scope_and_time) {
    load("\"Suspend\"");
    EXPECT_EQ(take(kStart), Taken::began);
    limits(running);
    EXPECT_TRUE(effect.suspended);
    EXPECT_EQ(running.suspended_paths(), 1U);
    limits(running, "mx.other.example");
    EXPECT_FALSE(effect.any);
    EXPECT_EQ(running.next_change(), kStart + 1h);
    EXPECT_FALSE(running.advance(kStart + 59min));
    EXPECT_TRUE(running.advance(kStart + 1h));
    EXPECT_EQ(running.size(), 0U);
}

TEST_F(RunningActionsTest, a_further_trigger_prolongs_it) {
    load("\"Suspend\"");
    EXPECT_EQ(take(kStart), Taken::began);
    EXPECT_EQ(take(kStart + 1s), Taken::nothing);  // for a hundredth of its time
    EXPECT_EQ(take(kStart + 30min), Taken::again);
    EXPECT_EQ(last->until, kStart + 90min);
    EXPECT_EQ(last->began, kStart);
    EXPECT_EQ(last->times, 2U);
}

TEST_F(RunningActionsTest, an_option_is_set_and_the_strictest_counts) {
    load(
        "[{SetConfig={name=\"connection_limit\", value=3}}, {SetConfig={name=\"connection_limit\", "
        "value=2}}, {SetConfig={name=\"connection_limit\", value=7}}, "
        "{SetConfig={name=\"max_message_rate\", value=\"1/min\"}}, "
        "{SetConfig={name=\"max_message_rate\", value=\"50/s\"}}, "
        "{SetConfig={name=\"max_connection_rate\", value=\"10000/h\"}}, "
        "{SetConfig={name=\"enable_tls\", value=\"Required\"}}]");
    for (std::size_t i = 0; i < 7; ++i)
        EXPECT_EQ(take(kStart, i), Taken::began);
    const ShapingLimits now = limits(running);
    EXPECT_EQ(now.connection_limit, 2U);
    EXPECT_EQ(now.max_message_rate, (core::Rate{1, 1min}));
    EXPECT_EQ(now.max_connection_rate, (core::Rate{10'000, 1h}));  // more than before, as asked
    EXPECT_EQ(now.tls, TlsPolicy::verify);
}

TEST_F(RunningActionsTest, a_provider_is_a_scope_of_all_its_sites) {
    load("\"Suspend\"", "provider.p");
    EXPECT_EQ(running.take(hit({"default", "p", ""}), 0, kStart, &last), Taken::began);
    limits(running, "mx1.p.example", "p");
    EXPECT_TRUE(effect.suspended);
    limits(running, "mx1.p.example", "q");
    EXPECT_FALSE(effect.any);
}

TEST_F(RunningActionsTest, a_reduction_halves_with_each_trigger_down_to_one) {
    load("\"PosthasteReduce\"");
    EXPECT_EQ(take(kStart), Taken::began);
    EXPECT_EQ(limits(running).connection_limit, 5U);
    EXPECT_EQ(limits(running).max_message_rate, (core::Rate{50, 1s}));
    EXPECT_EQ(take(kStart + 1s), Taken::nothing);  // replies of one moment
    EXPECT_EQ(limits(running).connection_limit, 5U);
    EXPECT_EQ(take(kStart + 11s), Taken::again);
    EXPECT_EQ(limits(running).connection_limit, 2U);
    for (int i = 2; i < 30; ++i)
        EXPECT_EQ(take(kStart + i * 11s), Taken::again);
    EXPECT_EQ(limits(running).connection_limit, 1U);
    EXPECT_EQ(limits(running).max_message_rate, (core::Rate{1, 1s}));
}

TEST_F(RunningActionsTest, a_reduction_recovers_step_by_step) {
    load("\"PosthasteReduce\"");
    take(kStart);
    std::vector<std::uint64_t> rates;
    core::WallTime now = kStart;
    while (running.size() > 0) {
        rates.push_back(limits(running).max_message_rate.count);
        const core::WallTime next = running.next_change();
        ASSERT_GT(next, now);
        now = next;
        ASSERT_TRUE(running.advance(now));
    }
    EXPECT_EQ(rates, (std::vector<std::uint64_t>{50, 53, 57, 61, 65, 70, 75, 81, 87, 93}));
    EXPECT_EQ(now, kStart + 1h);
}

TEST_F(RunningActionsTest, a_trigger_while_it_recovers_goes_down_from_there) {
    load("\"PosthasteReduce\"");
    take(kStart);
    running.advance(kStart + 36min);  // 75
    EXPECT_EQ(take(kStart + 36min), Taken::again);
    EXPECT_EQ(limits(running).max_message_rate.count, 37U);
}

TEST_F(RunningActionsTest, orders_about_mail_are_known_by_whose_mail_it_is) {
    load("[\"SuspendTenant\", \"SuspendCampaign\", \"Bounce\"]");
    EXPECT_EQ(take(kStart, 0), Taken::began);
    EXPECT_EQ(last->tenant, "acme");
    EXPECT_EQ(last->campaign, "");
    EXPECT_EQ(last->domain, "a.example");
    EXPECT_EQ(take(kStart, 1), Taken::began);
    EXPECT_EQ(last->campaign, "spring");
    EXPECT_EQ(take(kStart, 2), Taken::began);
    EXPECT_EQ(last->tenant, "");
    RuleHit other = hit();
    other.tenant = "other";
    EXPECT_EQ(running.take(other, 0, kStart, &last), Taken::began);
    EXPECT_EQ(running.take(other, 2, kStart, &last), Taken::nothing);
    other.tenant = "";
    EXPECT_EQ(running.take(other, 0, kStart, &last), Taken::unfit);
    limits(running);
    EXPECT_FALSE(effect.any);
}

TEST_F(RunningActionsTest, a_restart_finds_what_runs) {
    load(
        "[\"Suspend\", {SetConfig={name=\"max_message_rate\", value=\"1/min\"}}, "
        "\"PosthasteReduce\", {SetConfig={name=\"connection_limit\", value=3}}, \"BounceTenant\"]");
    for (std::size_t i = 0; i < 5; ++i)
        take(kStart, i);
    RunningActions next;
    EXPECT_EQ(next.read(running.text(), kStart + 30min), "");
    EXPECT_EQ(next.size(), 5U);
    const ShapingLimits now = limits(next);
    EXPECT_TRUE(effect.suspended);
    EXPECT_EQ(now.connection_limit, 2U);  // 3, and seven tenths of it
    EXPECT_EQ(now.max_message_rate, (core::Rate{1, 1min}));
    const auto snapshot = next.snapshot();
    const RunningAction& one = snapshot->all().front();
    EXPECT_TRUE(one.place.starts_with("s.toml:3"));
    EXPECT_EQ(one.reply, "421 slow \"down\" ?");
    EXPECT_EQ(one.began, kStart);
    EXPECT_EQ(next.next_change(), kStart + 36min);
    // A trigger finds what runs, though this process did not begin it.
    EXPECT_EQ(next.take(hit(), 0, kStart + 31min, &last), Taken::again);
    EXPECT_EQ(last->times, 2U);
    RunningActions later;
    EXPECT_EQ(later.read(running.text(), kStart + 1h), "");
    EXPECT_EQ(later.size(), 0U);
}

TEST_F(RunningActionsTest, a_damaged_file_is_said_and_what_is_understood_stays) {
    load("\"Suspend\"");
    take(kStart);
    RunningActions next;
    EXPECT_EQ(next.read(running.text() + "[[action]]\nverb = \"dance\"\n", kStart),
              "1 actions are not understood");
    EXPECT_EQ(next.size(), 1U);
    EXPECT_NE(RunningActions().read("[[action", kStart), "");
    EXPECT_EQ(RunningActions().read("", kStart), "");
}

TEST_F(RunningActionsTest, beyond_the_limit_the_one_that_would_end_first_ends) {
    load("\"Suspend\"");
    for (std::size_t i = 0; i <= RunningActions::kMostRunning; ++i) {
        running.take(hit({"default", "", std::to_string(i)}), 0, kStart + static_cast<int>(i) * 1ms,
                     &last);
    }
    EXPECT_EQ(running.size(), RunningActions::kMostRunning);
    limits(running, "0");
    EXPECT_FALSE(effect.any);
    limits(running, "1");
    EXPECT_TRUE(effect.suspended);
    EXPECT_LT(running.text().size(), core::kMostTomlOctets / 2);
}

TEST_F(RunningActionsTest, an_operator_ends_one_by_its_number) {
    load("\"Suspend\"");
    take(kStart);
    EXPECT_FALSE(running.end(last->number + 1));
    EXPECT_TRUE(running.end(last->number));
    EXPECT_EQ(running.size(), 0U);
}

}  // namespace
}  // namespace relay
