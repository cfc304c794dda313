#include "relay/limits/ledger.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(Ledger, one_holder_gets_what_it_wants_up_to_the_limit) {
    Ledger ledger(10);
    EXPECT_EQ(ledger.renew(0, 0, 4), 4U);
    EXPECT_EQ(ledger.renew(0, 4, 25), 10U);
    EXPECT_EQ(ledger.granted(), 10U);
    EXPECT_FALSE(ledger.shared_by_others_than(0));
    EXPECT_TRUE(ledger.shared_by_others_than(1));
}

TEST(Ledger, who_comes_later_waits_for_what_the_first_gives_back) {
    Ledger ledger(10);
    EXPECT_EQ(ledger.renew(0, 0, 10), 10U);
    EXPECT_EQ(ledger.renew(1, 0, 10), 0U) << "all are taken";
    EXPECT_EQ(ledger.renew(0, 10, 10), 5U) << "it is to come down to its share";
    EXPECT_EQ(ledger.renew(1, 0, 10), 0U) << "it has not given anything back yet";
    EXPECT_EQ(ledger.renew(0, 7, 10), 5U);
    EXPECT_EQ(ledger.renew(1, 0, 10), 3U);
    EXPECT_EQ(ledger.renew(0, 5, 10), 5U);
    EXPECT_EQ(ledger.renew(1, 3, 10), 5U);
}

TEST(Ledger, who_has_more_than_its_share_is_known) {
    Ledger ledger(10);
    ledger.renew(0, 0, 10);
    EXPECT_TRUE(ledger.above_their_share().empty());
    ledger.renew(3, 0, 2);
    EXPECT_EQ(ledger.above_their_share(), (std::vector<std::size_t>{0}));
    ledger.renew(0, 8, 10);
    EXPECT_TRUE(ledger.above_their_share().empty());
}

TEST(Ledger, what_one_does_not_want_the_others_share) {
    Ledger ledger(12);
    EXPECT_EQ(ledger.renew(0, 0, 2), 2U);
    EXPECT_EQ(ledger.renew(1, 0, 9), 9U);
    EXPECT_EQ(ledger.renew(2, 0, 9), 1U);
    EXPECT_EQ(ledger.renew(1, 9, 9), 5U);
    EXPECT_EQ(ledger.renew(1, 5, 9), 5U);
    EXPECT_EQ(ledger.renew(2, 1, 9), 5U);
    EXPECT_EQ(ledger.renew(0, 2, 2), 2U);
}

TEST(Ledger, a_remainder_goes_to_the_same_holders_each_time) {
    Ledger ledger(8);
    for (std::size_t holder = 0; holder < 3; ++holder)
        ledger.renew(holder, 0, 8);
    for (int round = 0; round < 5; ++round) {
        std::vector<std::size_t> have;
        for (std::size_t holder = 0; holder < 3; ++holder) {
            const std::size_t may = ledger.renew(holder, ledger.granted(holder), 8);
            have.push_back(ledger.renew(holder, std::min(may, ledger.granted(holder)), 8));
        }
        if (round > 0) EXPECT_EQ(have, (std::vector<std::size_t>{3, 3, 2}));
    }
}

TEST(Ledger, who_leaves_gives_all_back) {
    Ledger ledger(4);
    ledger.renew(0, 0, 4);
    ledger.renew(1, 0, 4);
    ledger.renew(0, 0, 0);
    EXPECT_EQ(ledger.renew(1, 0, 4), 4U);
    EXPECT_FALSE(ledger.shared_by_others_than(1));
}

TEST(Ledger, a_lower_limit_grants_nothing_until_enough_came_back) {
    Ledger ledger(10);
    ledger.renew(0, 0, 6);
    ledger.renew(1, 0, 4);
    ledger.limit_by(5);
    EXPECT_EQ(ledger.renew(2, 0, 1), 0U);
    EXPECT_EQ(ledger.renew(0, 6, 6), 2U);
    EXPECT_EQ(ledger.renew(1, 4, 4), 2U);
    EXPECT_EQ(ledger.granted(), 10U) << "nothing came back yet";
    ledger.renew(0, 2, 6);
    ledger.renew(1, 2, 4);
    EXPECT_EQ(ledger.renew(2, 0, 1), 1U);
    EXPECT_EQ(ledger.granted(), 5U);
}

TEST(Ledger, nobody_has_what_was_not_granted) {
    Ledger ledger(10);
    ledger.renew(0, 0, 3);
    EXPECT_DEATH(ledger.renew(0, 4, 4), "granted");
}

// Random calls by holders that come, go, die, obey late, with a limit that a reload changes. What
// they have never exceeds the limit, unless a reload lowered it, and then it only falls.
TEST(Ledger, random_holders_never_have_more_than_the_limit) {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        std::mt19937 random(seed);
        const auto below = [&random](std::size_t end) { return random() % end; };
        const std::size_t holders = 1 + below(16);
        Ledger ledger(1 + below(40));
        std::vector<std::size_t> has(holders);
        std::vector<std::size_t> may(holders);
        for (int step = 0; step < 500; ++step) {
            const std::size_t before = std::accumulate(has.begin(), has.end(), std::size_t{0});
            const std::size_t one = below(holders);
            switch (below(10)) {
                case 0:
                    ledger.renew(one, 0, 0);
                    has[one] = may[one] = 0;
                    break;
                case 1:
                    ledger.limit_by(1 + below(40));
                    break;
                default: {
                    // It gives back some of what it is to give back, or of what it does not want.
                    const std::size_t most = std::max(has[one], std::size_t{1});
                    const std::size_t surplus = has[one] > may[one] ? has[one] - may[one] : 0;
                    has[one] -= below(surplus + 1);
                    if (below(4) == 0) has[one] -= std::min(has[one], below(most));
                    may[one] = ledger.renew(one, has[one], below(50));
                    has[one] = std::max(has[one], std::min(may[one], ledger.granted(one)));
                    ASSERT_EQ(has[one], ledger.granted(one));
                }
            }
            const std::size_t now = std::accumulate(has.begin(), has.end(), std::size_t{0});
            ASSERT_EQ(now, ledger.granted());
            ASSERT_LE(now, std::max(before, ledger.limit())) << "step " << step;
        }
    }
}

// All want all of it, and obey: soon everybody has a share that differs from others by one at most.
TEST(Ledger, obedient_holders_come_to_equal_shares) {
    for (std::size_t holders = 2; holders <= 16; ++holders) {
        Ledger ledger(40);
        std::vector<std::size_t> has(holders);
        for (int round = 0; round < 3; ++round) {
            for (std::size_t one = 0; one < holders; ++one)
                has[one] = std::min(ledger.renew(one, has[one], 40), std::size_t{40});
        }
        const auto [least, most] = std::ranges::minmax(has);
        EXPECT_LE(most - least, 1U);
        EXPECT_EQ(std::accumulate(has.begin(), has.end(), std::size_t{0}), 40U);
    }
}

}  // namespace
}  // namespace relay
