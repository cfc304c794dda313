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
        for (const auto failure :
             {Outage::Failure::refused, Outage::Failure::unreachable, Outage::Failure::fruitless}) {
            EXPECT_EQ(outage.failed(failure, now), Outage::Finding::sample);
        }
        EXPECT_LE(outage.paused_until(), now + Outage::kAfterRefusal);
    }
    EXPECT_EQ(outage.failed(Outage::Failure::hopeless, kStart), Outage::Finding::outage);
}

TEST(Outage, single_sessions_that_end_fruitless_cost_no_pause) {
    Outage outage({});
    for (int i = 0; i < 100; ++i) {
        const core::Instant now = kStart + seconds{i};
        outage.worked(now);
        outage.failed(Outage::Failure::fruitless, now);
        EXPECT_LE(outage.paused_until(), now);
        EXPECT_GT(outage.most_opening(), 1U);
    }
}

TEST(Outage, after_a_refusal_connections_open_one_by_one_and_then_twice_as_many) {
    Outage outage({});
    outage.worked(kStart);
    EXPECT_EQ(outage.most_opening(), Outage::kManyOpening);
    outage.failed(Outage::Failure::refused, kStart);
    outage.worked(kStart);  // by a connection that was there before
    EXPECT_EQ(outage.most_opening(), 1U);
    outage.answered();
    EXPECT_EQ(outage.most_opening(), 2U);
}

TEST(Outage, pauses_double_once_nothing_works) {
    Outage outage({.first = seconds{10}, .longest = minutes{1}});
    core::Instant now = kStart;
    for (const int pause : {10, 20, 40, 60, 60}) {
        for (int i = 0; i < 3; ++i)  // those of one moment are one
            EXPECT_EQ(outage.failed(Outage::Failure::unreachable, now), Outage::Finding::outage);
        EXPECT_EQ(outage.paused_until(), now + seconds{pause});
        EXPECT_EQ(outage.most_opening(), 1U);
        now += seconds{pause};
    }
    outage.worked(now);
    EXPECT_GT(outage.most_opening(), 1U);
    EXPECT_LE(outage.paused_until(), now);
}

}  // namespace
}  // namespace relay
