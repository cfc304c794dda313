#include "relay/shaping/token_bucket.h"

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

TEST(TokenBucket, HoldsAnyRateOverTime) {
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
TEST(TokenBucket, CarriesTheRemainder) {
    TokenBucket bucket({3, 1s}, 3'000'001);
    for (int i = 0; i < 3'000'000; ++i)
        ASSERT_TRUE(bucket.try_take(kStart));
    EXPECT_EQ(bucket.next_at(), kStart - 2ms);
}

TEST(TokenBucket, RatesNearANanosecondAreExact) {
    TokenBucket bucket({700'000'000, 1s});
    std::uint64_t taken = 0;
    for (core::Duration at{}; at < 1ms; at += 1us) {
        while (bucket.try_take(kStart + at))
            ++taken;
    }
    const double burst = static_cast<double>(TokenBucket::default_burst({700'000'000, 1s}));
    EXPECT_NEAR(static_cast<double>(taken), burst + 700'000.0, 1000);
}

TEST(TokenBucket, LateTimersDoNotLowerTheRate) {
    for (const Rate rate : {Rate{10, 1s}, Rate{100, 1s}, Rate{100, 1min}}) {
        TokenBucket bucket(rate);
        const auto taken = greedy(bucket, rate.period * 60, 1'900us);
        EXPECT_GE(static_cast<double>(taken), static_cast<double>(rate.count) * 60 * 0.999)
            << rate.count;
    }
}

TEST(TokenBucket, BurstsAreSmallUnlessAskedFor) {
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

TEST(TokenBucket, IdleTimeIsNotSaved) {
    TokenBucket bucket({100, 1min}, 1);
    EXPECT_TRUE(bucket.try_take(kStart));
    EXPECT_TRUE(bucket.try_take(kStart + 24h));
    EXPECT_FALSE(bucket.try_take(kStart + 24h));
    EXPECT_FALSE(bucket.try_take(kStart + 24h + 500ms));
    EXPECT_TRUE(bucket.try_take(kStart + 24h + 600ms));
}

TEST(TokenBucket, SaysWhenToComeBack) {
    TokenBucket bucket({1, 1h}, 1);
    EXPECT_LE(bucket.next_at(), kStart);
    ASSERT_TRUE(bucket.try_take(kStart));
    const Instant next = bucket.next_at();
    EXPECT_FALSE(bucket.try_take(next - 1ns));
    EXPECT_NEAR(static_cast<double>((next - kStart).count()), 3600e9, 2e6);
    EXPECT_TRUE(bucket.try_take(next));
}

TEST(TokenBucket, GivesBack) {
    TokenBucket bucket({3, 1s}, 1);
    ASSERT_TRUE(bucket.try_take(kStart));
    const Instant before = bucket.next_at();
    ASSERT_TRUE(bucket.try_take(before));
    bucket.give_back();
    EXPECT_EQ(bucket.next_at(), before);
    EXPECT_TRUE(bucket.try_take(before));
}

TEST(TokenBucket, WorksFromTheZeroOfAVirtualClock) {
    TokenBucket bucket({2, 1s}, 1);
    EXPECT_TRUE(bucket.try_take(Instant{}));
    EXPECT_FALSE(bucket.try_take(Instant{}));
    EXPECT_TRUE(bucket.try_take(Instant{} + 500ms));
}

}  // namespace
}  // namespace relay
