#include "relay/node/drain_times.h"

#include <limits>

#include <gtest/gtest.h>

namespace relay {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(CutOff, an_empty_queue_leaves_all_of_it) {
    EXPECT_EQ(cut_off(0), kCutOff);
    EXPECT_EQ(cut_off(0), seconds{10});
}

TEST(CutOff, each_million_recipients_takes_a_second) {
    EXPECT_EQ(cut_off(1'000'000), seconds{9});
    EXPECT_EQ(cut_off(2'500'000), milliseconds{7'500});
    EXPECT_EQ(cut_off(7'000'000), seconds{3});
}

TEST(CutOff, a_few_recipients_take_next_to_nothing) {
    EXPECT_EQ(cut_off(999), seconds{10});
    EXPECT_EQ(cut_off(1'000), seconds{10} - milliseconds{1});
}

TEST(CutOff, connections_have_a_least_time_whatever_waits) {
    EXPECT_EQ(cut_off(7'001'000), kLeastCutOff);
    EXPECT_EQ(cut_off(1'000'000'000), kLeastCutOff);
}

TEST(CutOff, the_whole_drain_is_done_in_half_a_minute) {
    for (std::uint64_t recipients = 0; recipients <= 7'000'000; recipients += 500'000) {
        const core::Duration forgetting = kForgetMillion / 1000 * (recipients / 1000);
        EXPECT_LE(kDrainGrace + cut_off(recipients) + forgetting, seconds{30}) << recipients;
    }
}

}  // namespace
}  // namespace relay
