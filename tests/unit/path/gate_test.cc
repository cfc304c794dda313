#include "relay/path/gate.h"

#include <gtest/gtest.h>

#include "core/runtime/slices.h"

namespace relay {
namespace {

using Why = Gate::Why;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const core::Instant kStart{std::chrono::hours{1}};

class GateTest : public testing::Test {
  protected:
    GateLimits limits_{
        .messages = {10, seconds{1}}, .connections = {60, minutes{1}}, .most_connections = 2};
    Gate gate_{limits_, {.first = seconds{10}, .longest = minutes{1}}};
};

TEST_F(GateTest, the_message_rate_says_when_the_next_transaction_may_begin) {
    EXPECT_TRUE(gate_.wake(kStart).go());
    EXPECT_TRUE(gate_.begin_transaction(kStart).go());
    const Gate::Answer no = gate_.begin_transaction(kStart);
    EXPECT_EQ(no.why, Why::message_rate);
    EXPECT_GT(no.until, kStart);
    EXPECT_LE(no.until, kStart + milliseconds{100});
    EXPECT_EQ(gate_.wake(kStart).why, Why::message_rate);
    EXPECT_EQ(gate_.wake(kStart).until, no.until);  // asking takes nothing
    EXPECT_TRUE(gate_.begin_transaction(no.until).go());
}

TEST_F(GateTest, the_connection_rate_lets_a_burst_pass_and_then_one_after_the_other) {
    EXPECT_TRUE(gate_.open_connection(kStart, 0, 0).go());
    EXPECT_TRUE(gate_.open_connection(kStart, 1, 1).go());
    const Gate::Answer no = gate_.open_connection(kStart, 2, 2);
    EXPECT_EQ(no.why, Why::connection_rate);
    EXPECT_EQ(gate_.open_detour(kStart).why, Why::connection_rate);
    EXPECT_TRUE(gate_.open_detour(no.until).go());
}

TEST_F(GateTest, no_connection_opens_for_what_the_rate_holds_back_anyway) {
    EXPECT_TRUE(gate_.begin_transaction(kStart).go());
    const Gate::Answer no = gate_.open_connection(kStart, 1, 0);
    EXPECT_EQ(no.why, Why::rate_is_used);
    EXPECT_EQ(no.until, gate_.wake(kStart).until);
    EXPECT_TRUE(gate_.open_connection(kStart, 0, 0).go());  // somebody must be there then
}

TEST_F(GateTest, an_outage_pauses_connections_and_then_lets_one_probe) {
    gate_.outage().failed(Outage::Failure::not_opened, kStart);
    const Gate::Answer no = gate_.open_connection(kStart, 0, 0);
    EXPECT_EQ(no.why, Why::outage);
    EXPECT_EQ(no.until, kStart + seconds{10});
    EXPECT_TRUE(gate_.open_connection(no.until, 0, 0).go());
    EXPECT_EQ(gate_.open_connection(no.until, 1, 1).why, Why::opening);
    EXPECT_EQ(gate_.open_connection(no.until, 1, 1).until, core::kNever);  // until it is known
    gate_.outage().worked(no.until);
    EXPECT_TRUE(gate_.open_connection(no.until, 1, 1).go());
}

TEST_F(GateTest, where_all_hosts_rest_nobody_asks_them) {
    gate_.hosts_rest(kStart + seconds{3});
    const Gate::Answer no = gate_.open_connection(kStart, 0, 0);
    EXPECT_EQ(no.why, Why::hosts_rest);
    EXPECT_EQ(no.until, kStart + seconds{3});
    EXPECT_TRUE(gate_.open_detour(kStart).go());  // other hosts, or addresses
    gate_.hosts_answer();
    EXPECT_TRUE(gate_.open_connection(kStart, 0, 0).go());
}

TEST_F(GateTest, the_longer_of_two_pauses_counts) {
    gate_.outage().failed(Outage::Failure::not_opened, kStart);
    gate_.hosts_rest(kStart + seconds{3});
    EXPECT_EQ(gate_.open_connection(kStart, 0, 0).until, kStart + seconds{10});
    gate_.hosts_rest(kStart + seconds{30});
    EXPECT_EQ(gate_.open_connection(kStart, 0, 0).until, kStart + seconds{30});
}

TEST_F(GateTest, nothing_passes_while_mail_expires_in_slices_or_after_the_end) {
    EXPECT_TRUE(gate_.pass().go());
    gate_.expire(true);
    EXPECT_EQ(gate_.pass().why, Why::expiring);
    EXPECT_EQ(gate_.pass().until, core::kAtOnce);
    gate_.expire(false);
    EXPECT_TRUE(gate_.pass().go());
    gate_.close();
    gate_.expire(false);  // changes nothing
    EXPECT_TRUE(gate_.closing());
    EXPECT_EQ(gate_.pass().why, Why::closing);
    EXPECT_EQ(gate_.pass().until, core::kNever);
}

TEST_F(GateTest, a_rate_that_changes_begins_again_and_another_one_goes_on) {
    EXPECT_TRUE(gate_.begin_transaction(kStart).go());
    limits_.most_connections = 5;
    gate_.limit_by(limits_);
    EXPECT_FALSE(gate_.begin_transaction(kStart).go());
    limits_.messages = {20, seconds{1}};
    gate_.limit_by(limits_);
    EXPECT_TRUE(gate_.begin_transaction(kStart).go());
}

TEST(GateShare, parts_come_to_no_more_than_the_whole) {
    const GateLimits whole{{1000, std::chrono::seconds{1}}, {7, std::chrono::minutes{1}}, 10};
    double messages = 0;
    double connections = 0;
    for (const std::size_t places : {1U, 2U, 3U, 4U}) {
        const GateLimits part = part_of(whole, {places, 10});
        const auto per_second = [](core::Rate rate) {
            return static_cast<double>(rate.count) /
                   std::chrono::duration<double>(rate.period).count();
        };
        messages += per_second(part.messages);
        connections += per_second(part.connections);
        EXPECT_GE(part.most_connections, 1U);
    }
    EXPECT_NEAR(messages, 1000, 1e-6);
    EXPECT_NEAR(connections, 7 / 60.0, 1e-9);
    EXPECT_EQ(part_of(whole, {10, 10}), whole);
}

TEST(GateShare, whoever_changes_shares_often_gains_nothing) {
    const GateLimits whole{{1000, std::chrono::seconds{1}}, {1000, std::chrono::seconds{1}}, 10};
    Gate gate(whole, {});
    core::Instant now{std::chrono::seconds{5}};
    std::size_t begun = 0;
    for (int step = 0; step < 1000; ++step) {
        gate.share({step % 2 == 0 ? 5U : 4U, 10}, now);
        while (gate.begin_transaction(now).go())
            ++begun;
        now += std::chrono::milliseconds{1};
    }
    EXPECT_LE(begun, 500U + 50U) << "half of the rate in a second, and what was saved up once";
}

}  // namespace
}  // namespace relay
