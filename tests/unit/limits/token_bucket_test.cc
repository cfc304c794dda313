#include "relay/limits/token_bucket.h"

#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

using namespace std::chrono_literals;
using core::Instant;
using core::Rate;

constexpr Instant kStart{core::Duration{1'000'000'000'000}};

// How many events a greedy user gets in a while, who waits for next_at() and wakes late by so much.
std::uint64_t greedy(TokenBucket& bucket, core::Duration span, core::Duration late) {
    std::uint64_t taken = 0;
    for (Instant now = kStart; now < kStart + span;) {
        if (bucket.try_take(now)) {
            ++taken;
        } else {
            now = bucket.next_at() + late;
        }
    }
    return taken;
}

TEST(TokenBucket, holds_any_rate_over_time) {
    const std::vector<Rate> rates{{1, 1s},     {3, 1s},  {7, 1s},   {100, 1s},  {100, 1min},
                                  {999, 1min}, {33, 1h}, {700, 1s}, {1234, 1s}, {17, 24h}};
    for (const Rate rate : rates) {
        TokenBucket bucket(rate);
        constexpr int kPeriods = 30;
        const auto expected = rate.count * kPeriods;
        const auto taken = greedy(bucket, rate.period * kPeriods, 1ns);
        const auto slack = TokenBucket::default_burst(rate) + 1;
        EXPECT_GE(taken, expected - 1) << rate.count;
        EXPECT_LE(taken, expected + slack) << rate.count;
    }
}

// At 3 a second each take leaves a third of a nanosecond: three million takes are due after a
// million seconds exactly. That is what the burst allows; the rest is the earliness that is
// forgiven.
TEST(TokenBucket, carries_the_remainder) {
    TokenBucket bucket({3, 1s}, 3'000'001);
    for (int i = 0; i < 3'000'000; ++i)
        ASSERT_TRUE(bucket.try_take(kStart));
    EXPECT_EQ(bucket.next_at(), kStart - 2ms);
}

TEST(TokenBucket, rates_near_a_nanosecond_are_exact) {
    TokenBucket bucket({700'000'000, 1s});
    std::uint64_t taken = 0;
    for (core::Duration at{}; at < 1ms; at += 1us) {
        while (bucket.try_take(kStart + at))
            ++taken;
    }
    const double burst = static_cast<double>(TokenBucket::default_burst({700'000'000, 1s}));
    EXPECT_NEAR(static_cast<double>(taken), burst + 700'000.0, 1000);
}

TEST(TokenBucket, late_timers_do_not_lower_the_rate) {
    for (const Rate rate : {Rate{10, 1s}, Rate{100, 1s}, Rate{100, 1min}}) {
        TokenBucket bucket(rate);
        const auto taken = greedy(bucket, rate.period * 60, 1'900us);
        EXPECT_GE(static_cast<double>(taken), static_cast<double>(rate.count) * 60 * 0.999)
            << rate.count;
    }
}

TEST(TokenBucket, bursts_are_small_unless_asked_for) {
    EXPECT_EQ(TokenBucket::default_burst({100, 1s}), 5U);
    EXPECT_EQ(TokenBucket::default_burst({1000, 1s}), 50U);
    EXPECT_EQ(TokenBucket::default_burst({100, 1min}), 1U);
    EXPECT_EQ(TokenBucket::default_burst({1, 24h}), 1U);
    EXPECT_EQ(TokenBucket::default_burst({1'000'000'000, 1s}), 50'000'000U);

    TokenBucket bucket({100, 1s});
    int at_once = 0;
    while (bucket.try_take(kStart))
        ++at_once;
    EXPECT_EQ(at_once, 5);
    TokenBucket large({100, 1s}, 40);
    at_once = 0;
    while (large.try_take(kStart))
        ++at_once;
    EXPECT_EQ(at_once, 40);
}

TEST(TokenBucket, idle_time_is_not_saved) {
    TokenBucket bucket({100, 1min}, 1);
    EXPECT_TRUE(bucket.try_take(kStart));
    EXPECT_TRUE(bucket.try_take(kStart + 24h));
    EXPECT_FALSE(bucket.try_take(kStart + 24h));
    EXPECT_FALSE(bucket.try_take(kStart + 24h + 500ms));
    EXPECT_TRUE(bucket.try_take(kStart + 24h + 600ms));
}

TEST(TokenBucket, says_when_to_come_back) {
    TokenBucket bucket({1, 1h}, 1);
    EXPECT_LE(bucket.next_at(), kStart);
    ASSERT_TRUE(bucket.try_take(kStart));
    const Instant next = bucket.next_at();
    EXPECT_FALSE(bucket.try_take(next - 1ns));
    EXPECT_NEAR(static_cast<double>((next - kStart).count()), 3600e9, 2e6);
    EXPECT_TRUE(bucket.try_take(next));
}

TEST(TokenBucket, gives_back) {
    TokenBucket bucket({3, 1s}, 1);
    ASSERT_TRUE(bucket.try_take(kStart));
    const Instant before = bucket.next_at();
    ASSERT_TRUE(bucket.try_take(before));
    bucket.give_back();
    EXPECT_EQ(bucket.next_at(), before);
    EXPECT_TRUE(bucket.try_take(before));
}

TEST(TokenBucket, works_from_the_zero_of_a_virtual_clock) {
    TokenBucket bucket({2, 1s}, 1);
    EXPECT_TRUE(bucket.try_take(Instant{}));
    EXPECT_FALSE(bucket.try_take(Instant{}));
    EXPECT_TRUE(bucket.try_take(Instant{} + 500ms));
}

}  // namespace
}  // namespace relay
