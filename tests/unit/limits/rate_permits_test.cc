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
    EXPECT_EQ(ledger.grant(1000, kStart).permits, 50U);
    EXPECT_EQ(ledger.grant(1000, kStart).permits, 0U);
    const RateGrant later = ledger.grant(3, kStart + 50ms);
    EXPECT_EQ(later.permits, 3U);
}

TEST(RateLedger, says_when_there_is_more) {
    RateLedger ledger({1, 1h});
    EXPECT_EQ(ledger.grant(1, kStart).permits, 1U);
    const RateGrant none = ledger.grant(1, kStart + 1s);
    EXPECT_EQ(none.permits, 0U);
    EXPECT_GE(none.again_at, kStart + 59min);
    EXPECT_EQ(ledger.grant(1, none.again_at).permits, 1U);
}

TEST(RateLedger, what_comes_back_is_given_again) {
    RateLedger ledger({1, 1h});
    ASSERT_EQ(ledger.grant(1, kStart).permits, 1U);
    ledger.give_back(1);
    EXPECT_EQ(ledger.grant(1, kStart + 1s).permits, 1U);
}

TEST(RateLedger, another_rate_gives_nothing_for_the_change) {
    RateLedger ledger({100, 1s});
    std::uint64_t permits = 0;
    for (int i = 0; i < 1000; ++i) {  // a second, in which the rate changes at each step
        ledger.change({100U + static_cast<std::uint64_t>(i % 2), 1s}, kStart + i * 1ms);
        permits += ledger.grant(1000, kStart + i * 1ms).permits;
    }
    EXPECT_LE(permits, 107U);
}

TEST(RatePermits, are_asked_for_once_and_kept_for_a_while) {
    RatePermits permits;
    RateLedger ledger({1000, 1s});
    EXPECT_FALSE(permits.try_take());
    ASSERT_TRUE(permits.may_ask(kStart));
    const RatePermits::Question question = permits.question(2, kStart);
    EXPECT_EQ(question.wanted, 2U);
    EXPECT_FALSE(permits.may_ask(kStart)) << "the answer is not here yet";
    permits.granted(ledger.grant(question.wanted, kStart));
    EXPECT_TRUE(permits.try_take());
    EXPECT_FALSE(permits.is_stale(kStart + 99ms));
    EXPECT_TRUE(permits.is_stale(kStart + 100ms));
    EXPECT_EQ(permits.question(0, kStart + 100ms).unused, 1U);
}

TEST(RatePermits, as_many_as_were_used_lately_are_asked_for) {
    RatePermits permits;
    static_cast<void>(permits.question(8, kStart));
    permits.granted({8, kStart});
    while (permits.try_take()) {
    }
    EXPECT_EQ(permits.question(1, kStart + 10ms).wanted, 8U);
    permits.granted({1, kStart + 10ms});
    EXPECT_TRUE(permits.try_take());
    EXPECT_EQ(permits.question(1, kStart + 10s).wanted, 1U);
}

// Whatever the rate and whoever asks when: no window has more than the rate and a burst, and shards
// whose mail waits use all of it.
class SharedRate : public testing::TestWithParam<std::uint64_t> {};

TEST_P(SharedRate, is_exact_over_all_shards) {
    core::Prng random(GetParam());
    const core::Rate rate{1 + random.below(2000), random.below(2) == 0 ? 1s : 60s};
    SCOPED_TRACE(testing::Message() << "seed " << GetParam() << ", " << core::write_rate(rate));
    RateLedger ledger(rate);
    std::vector<RatePermits> shards(1 + random.below(16));
    const std::uint64_t burst = TokenBucket::default_burst(rate);
    const core::Duration window = 2s;
    std::deque<core::Instant> sent;
    std::uint64_t all = 0;
    core::Instant now = kStart;
    for (; now < kStart + 120s; now += core::Duration{1ms} * (1 + random.below(10))) {
        RatePermits& shard = shards[random.below(shards.size())];
        if (shard.left() == 0 && shard.may_ask(now)) {
            const auto question = shard.question(1 + random.below(100), now);
            ledger.give_back(question.unused);
            shard.granted(ledger.grant(question.wanted, now));
        }
        while (shard.try_take()) {
            sent.push_back(now);
            ++all;
        }
        while (!sent.empty() && sent.front() <= now - window)
            sent.pop_front();
        const auto most =
            static_cast<double>(rate.count) * (std::chrono::duration<double>(window) / rate.period);
        ASSERT_LE(static_cast<double>(sent.size()), 1.05 * most + static_cast<double>(burst) + 1);
    }
    const double wanted = static_cast<double>(rate.count) *
                          (std::chrono::duration<double>(now - kStart) / rate.period);
    EXPECT_GE(static_cast<double>(all), 0.9 * wanted - 1);
}

INSTANTIATE_TEST_SUITE_P(seeds, SharedRate, testing::Range<std::uint64_t>(1, 51));

}  // namespace
}  // namespace relay
