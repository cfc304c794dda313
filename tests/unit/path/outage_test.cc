#include "relay/path/outage.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const core::Instant kStart{std::chrono::hours{1}};

TEST(Outage, a_failure_is_a_sample_while_the_site_worked_lately) {
    Outage outage({.first = seconds{10}, .longest = minutes{1}});
    outage.worked(kStart);
    for (int i = 0; i < 20; ++i) {
        const core::Instant now = kStart + seconds{i};
        for (const auto failure : {Outage::Failure::not_opened, Outage::Failure::fruitless}) {
            EXPECT_EQ(outage.failed(failure, now), Outage::Finding::sample);
        }
        EXPECT_LE(outage.paused_until(), now + Outage::kLongestSlowing);
    }
    EXPECT_EQ(outage.failed(Outage::Failure::hopeless, kStart), Outage::Finding::outage);
}

TEST(Outage, single_failures_cost_no_pause) {
    Outage outage({});
    for (int i = 0; i < 100; ++i) {
        const core::Instant now = kStart + seconds{i};
        outage.worked(now);
        outage.failed(i % 2 == 0 ? Outage::Failure::fruitless : Outage::Failure::not_opened, now);
        EXPECT_LE(outage.paused_until(), now);
        EXPECT_FALSE(outage.is_probing());
    }
}

TEST(Outage, several_failures_in_a_row_slow_down_and_one_connection_probes) {
    Outage outage({});
    outage.worked(kStart);
    for (unsigned i = 0; i < Outage::kFreeSamples; ++i)
        outage.failed(Outage::Failure::not_opened, kStart);
    EXPECT_LE(outage.paused_until(), kStart);
    outage.failed(Outage::Failure::not_opened, kStart);
    EXPECT_GT(outage.paused_until(), kStart);
    EXPECT_TRUE(outage.is_probing());
    outage.worked(kStart);
    EXPECT_FALSE(outage.is_probing());
}

TEST(Outage, pauses_double_once_nothing_works) {
    Outage outage({.first = seconds{10}, .longest = minutes{1}});
    core::Instant now = kStart;
    for (const int pause : {10, 20, 40, 60, 60}) {
        for (int i = 0; i < 3; ++i)  // those of one moment are one
            EXPECT_EQ(outage.failed(Outage::Failure::not_opened, now), Outage::Finding::outage);
        EXPECT_EQ(outage.paused_until(), now + seconds{pause});
        EXPECT_TRUE(outage.is_probing());
        now += seconds{pause};
    }
    outage.worked(now);
    EXPECT_FALSE(outage.is_probing());
    EXPECT_LE(outage.paused_until(), now);
}

}  // namespace
}  // namespace relay
