#include "relay/limits/rate_permits.h"

#include <deque>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/prng.h"

namespace relay {
namespace {

using namespace std::chrono_literals;

constexpr core::Instant kStart{1'000s};

TEST(RateLedger, gives_what_fits_into_fifty_milliseconds) {
    RateLedger ledger({1000, 1s});
    EXPECT_EQ(ledger.grant({.wanted = 1000}, kStart).permits, 50U);
    EXPECT_EQ(ledger.grant({.wanted = 1000}, kStart).permits, 0U);
    const RateGrant later = ledger.grant({.wanted = 3, .in_turn = true}, kStart + 50ms);
    EXPECT_EQ(later.permits, 3U);
}

TEST(RateLedger, says_when_there_is_more) {
    RateLedger ledger({1, 1h});
    EXPECT_EQ(ledger.grant({.wanted = 1}, kStart).permits, 1U);
    const RateGrant none = ledger.grant({.wanted = 1}, kStart + 1s);
    EXPECT_EQ(none.permits, 0U);
    EXPECT_GE(none.again_at, kStart + 59min);
    EXPECT_EQ(ledger.grant({.wanted = 1, .in_turn = true}, none.again_at).permits, 1U);
}

TEST(RateLedger, those_who_ask_take_turns) {
    RateLedger ledger({10, 1s});
    ASSERT_EQ(ledger.grant({.wanted = 1}, kStart).permits, 1U);
    const RateGrant first = ledger.grant({.wanted = 1}, kStart);
    const RateGrant second = ledger.grant({.wanted = 1}, kStart);
    EXPECT_GE(first.again_at, kStart + 90ms);
    EXPECT_GE(second.again_at, first.again_at + 100ms);
    EXPECT_EQ(ledger.grant({.wanted = 1}, first.again_at).permits, 0U) << "it is another's turn";
    EXPECT_EQ(ledger.grant({.wanted = 1, .in_turn = true}, first.again_at).permits, 1U);
    EXPECT_EQ(ledger.grant({.wanted = 1, .in_turn = true}, second.again_at).permits, 1U);
}

TEST(RateLedger, what_comes_back_is_given_again) {
    RateLedger ledger({1, 1h});
    ASSERT_EQ(ledger.grant({.wanted = 1}, kStart).permits, 1U);
    EXPECT_EQ(ledger.grant({.wanted = 1, .unused = 1}, kStart + 1s).permits, 1U);
}

TEST(RateLedger, another_rate_gives_nothing_for_the_change) {
    RateLedger ledger({100, 1s});
    std::uint64_t permits = 0;
    for (int i = 0; i < 1000; ++i) {  // a second, in which the rate changes at each step
        ledger.change({100U + static_cast<std::uint64_t>(i % 2), 1s}, kStart + i * 1ms);
        permits += ledger.grant({.wanted = 1000}, kStart + i * 1ms).permits;
    }
    EXPECT_LE(permits, 107U);
}

TEST(RatePermits, are_asked_for_once_and_kept_for_a_while) {
    RatePermits permits;
    RateLedger ledger({1000, 1s});
    EXPECT_FALSE(permits.try_take());
    ASSERT_TRUE(permits.may_ask(kStart));
    const RateQuestion question = permits.question(2, kStart);
    EXPECT_EQ(question.wanted, 2U);
    EXPECT_FALSE(permits.may_ask(kStart)) << "the answer is not here yet";
    permits.granted(ledger.grant(question, kStart));
    EXPECT_TRUE(permits.try_take());
    EXPECT_FALSE(permits.is_stale(kStart + 99ms));
    EXPECT_TRUE(permits.is_stale(kStart + 100ms));
    EXPECT_EQ(permits.question(0, kStart + 100ms).unused, 1U);
}

TEST(RatePermits, as_many_as_were_used_lately_are_asked_for) {
    RatePermits permits;
    static_cast<void>(permits.question(8, kStart));
    permits.granted({.permits = 8, .again_at = kStart});
    while (permits.try_take()) {
    }
    EXPECT_EQ(permits.question(1, kStart + 10ms).wanted, 8U);
    permits.granted({.permits = 1, .again_at = kStart + 10ms});
    EXPECT_TRUE(permits.try_take());
    EXPECT_EQ(permits.question(1, kStart + 10s).wanted, 1U);
}

// Whatever the rate, however many ask, whenever: no window has more than the rate and a burst.
class RateOfMany : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RateOfMany, is_never_exceeded) {
    core::Prng random(GetParam());
    const core::Rate rate{1 + random.below(2000), random.below(2) == 0 ? 1s : 60s};
    SCOPED_TRACE(testing::Message() << "seed " << GetParam() << ", " << core::write_rate(rate));
    RateLedger ledger(rate);
    std::vector<RatePermits> shards(1 + random.below(16));
    const std::uint64_t burst = TokenBucket::default_burst(rate);
    const core::Duration window = 2s;
    const double most =
        static_cast<double>(rate.count) * (std::chrono::duration<double>(window) / rate.period);
    std::deque<core::Instant> sent;
    for (core::Instant now = kStart; now < kStart + 120s;
         now += core::Duration{1ms} * (1 + random.below(10))) {
        RatePermits& shard = shards[random.below(shards.size())];
        if (shard.left() == 0 && shard.may_ask(now)) {
            shard.granted(ledger.grant(shard.question(1 + random.below(100), now), now));
        }
        while (shard.try_take())
            sent.push_back(now);
        while (!sent.empty() && sent.front() <= now - window)
            sent.pop_front();
        ASSERT_LE(static_cast<double>(sent.size()), 1.05 * most + static_cast<double>(burst) + 1);
    }
}

INSTANTIATE_TEST_SUITE_P(seeds, RateOfMany, testing::Range<std::uint64_t>(1, 51));

}  // namespace
}  // namespace relay
