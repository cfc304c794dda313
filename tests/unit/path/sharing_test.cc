#include "relay/path/sharing.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

ShapingLimits limits(std::uint32_t connections, core::Rate messages, core::Rate opened) {
    ShapingLimits all;
    all.connection_limit = connections;
    all.max_message_rate = messages;
    all.max_connection_rate = opened;
    return all;
}

const core::Rate kPlenty{1'000'000, seconds{1}};

TEST(Sharing, limits_are_shared_when_each_shard_gets_a_part_worth_having) {
    EXPECT_TRUE(may_be_shared(limits(2, kPlenty, kPlenty), 2));
    EXPECT_FALSE(may_be_shared(limits(1, kPlenty, kPlenty), 2));
    EXPECT_FALSE(may_be_shared(limits(15, kPlenty, kPlenty), 16));
    EXPECT_FALSE(may_be_shared(limits(16, {100, seconds{1}}, kPlenty), 2)) << "messages";
    EXPECT_FALSE(may_be_shared(limits(16, kPlenty, {1, seconds{1}}), 2)) << "connections opened";
    EXPECT_FALSE(may_be_shared(limits(16, kPlenty, kPlenty), 1)) << "nobody is there";
}

TEST(Spread, who_has_much_more_than_the_mean_hands_over_to_those_below_it) {
    const auto moves = spread({0, 0, 0, 0}, 1, 1000);
    ASSERT_EQ(moves.size(), 3U);
    std::size_t moved = 0;
    for (const Move& move : moves) {
        EXPECT_NE(move.shard, 1U);
        EXPECT_EQ(move.recipients, 250U);
        moved += move.recipients;
    }
    EXPECT_EQ(moved, 750U);
}

TEST(Spread, who_has_about_the_mean_keeps_it) {
    EXPECT_TRUE(spread({100, 100, 90, 110}, 0, 120).empty());
    EXPECT_TRUE(spread({0, 0}, 0, 60).empty()) << "not worth a letter";
    EXPECT_TRUE(spread({5000, 0}, 1, 0).empty());
    EXPECT_TRUE(spread({7}, 0, 5000).empty());
    EXPECT_TRUE(spread({}, 0, 5000).empty());
}

TEST(Spread, nobody_gets_more_than_the_mean) {
    for (const Move& move : spread({1000, 400, 0}, 0, 1000)) {
        EXPECT_LE(move.recipients, 467U);
        if (move.shard == 1) EXPECT_LE(move.recipients, 67U);
    }
}

const core::Instant kNow{seconds{5}};

class LaneLedgerTest : public testing::Test {
  protected:
    LaneLedgerTest() { window_.reach(10); }
    LaneTerms renew(std::size_t shard, const LaneReport& report) {
        return ledger_.renew(shard, report, kNow);
    }

    Window window_{10};
    LaneLedger ledger_{window_, 10, 2, 0, 0};
};

TEST_F(LaneLedgerTest, a_lane_gets_its_share_when_the_home_came_down) {
    EXPECT_EQ(renew(0, {.has = 0, .wants = 10, .backlog = 0}).places, 10U);
    EXPECT_EQ(renew(1, {.has = 0, .wants = 10, .backlog = 50}).places, 0U);
    EXPECT_TRUE(ledger_.shared_by_others_than(0));
    const LaneTerms home = renew(0, {.has = 4, .wants = 10, .backlog = 7});
    EXPECT_EQ(home.places, 5U);
    EXPECT_EQ(home.backlogs, (std::vector<std::size_t>{7, 50}));
    const LaneTerms lane = renew(1, {.has = 0, .wants = 10, .backlog = 40});
    EXPECT_EQ(lane.places, 5U);
    EXPECT_EQ(lane.limit, 10U);
    EXPECT_EQ(ledger_.granted(), 10U);
}

// A tenant's mail that is on one shard only must reach the others, or it has no share there.
TEST_F(LaneLedgerTest, lanes_hear_what_others_have_of_their_flows) {
    const FlowBacklog a{TenantId{1}, Priority::normal, 500};
    const FlowBacklog urgent_a{TenantId{1}, Priority::urgent, 3};
    const FlowBacklog b{TenantId{2}, Priority::normal, 400};
    renew(0, {.wants = 5, .backlog = 500, .flows = {a}});
    EXPECT_TRUE(renew(0, {.wants = 5, .backlog = 500, .flows = {a}}).flows.empty());
    const auto lane = renew(1, {.wants = 5, .backlog = 900, .flows = {b, a, urgent_a}}).flows;
    ASSERT_EQ(lane.size(), 3U);
    EXPECT_EQ(lane[0].backlogs, (std::vector<std::size_t>{0, 400}));
    EXPECT_EQ(lane[1].backlogs, (std::vector<std::size_t>{500, 500}));
    EXPECT_EQ(lane[2].backlogs, (std::vector<std::size_t>{0, 3}));
    const auto home = renew(0, {.wants = 5, .backlog = 500, .flows = {a}}).flows;
    ASSERT_EQ(home.size(), 1U);
    EXPECT_EQ(home[0].flow.tenant, TenantId{1});
    EXPECT_EQ(home[0].backlogs, (std::vector<std::size_t>{500, 500}));
}

TEST_F(LaneLedgerTest, a_lane_that_ends_gives_its_places_back) {
    renew(1, {.has = 0, .wants = 10, .backlog = 1});
    EXPECT_EQ(ledger_.granted(), 10U);
    EXPECT_EQ(renew(1, {}).places, 0U);
    EXPECT_EQ(ledger_.granted(), 0U);
    EXPECT_FALSE(ledger_.shared_by_others_than(0));
}

// Six are taken, three in each lane; a seventh is refused whoever tries it.
TEST_F(LaneLedgerTest, refusals_in_lanes_teach_the_window_of_all) {
    renew(0, {.has = 0, .wants = 5});
    renew(1, {.has = 0, .wants = 5});
    renew(0, {.has = 3, .wants = 5, .open = 3, .seen = {.opened = 3}});
    renew(1, {.has = 3, .wants = 5, .open = 3, .seen = {.opened = 3}});
    core::Instant now = kNow;
    for (unsigned i = 0; i < Window::kEnough; ++i) {
        now += minutes{1};
        const std::size_t shard = i % 2;
        const LaneReport tried{.has = 3, .wants = 5, .open = 3, .seen = {.refused = 1}};
        EXPECT_LE(ledger_.renew(shard, tried, now).places, 3U) << i;
    }
    EXPECT_EQ(window_.size(), 6U);
    EXPECT_EQ(ledger_.open(), 6U);
    EXPECT_EQ(renew(0, {.has = 3, .wants = 5, .open = 3}).limit, 6U) << "rates are shared by it";
}

TEST(LaneTraffic, is_busy_with_many_in_a_second) {
    LaneTraffic traffic;
    core::Instant now{seconds{5}};
    for (std::uint32_t i = 1; i < LaneTraffic::kBusy; ++i)
        EXPECT_FALSE(traffic.count(now));
    EXPECT_TRUE(traffic.count(now));
    for (std::uint32_t i = 0; i < 2 * LaneTraffic::kBusy; ++i) {
        now += LaneTraffic::kWithin / 8;
        EXPECT_FALSE(traffic.count(now));
    }
}

}  // namespace
}  // namespace relay
