#include "metrics/shard_metrics.h"

#include <thread>

#include <gtest/gtest.h>

namespace metrics {
namespace {

using namespace std::chrono_literals;

TEST(Histogram, counts_into_the_bucket_at_or_above_the_value) {
    DeliveryHistogram histogram;
    histogram.observe(-1s);  // a clock set back: counts as nothing
    histogram.observe(5ms);  // on the bound: in its bucket
    histogram.observe(5ms + 1ns);
    histogram.observe(24h * 5);
    histogram.observe(24h * 6);
    EXPECT_EQ(histogram.count(0), 2U);
    EXPECT_EQ(histogram.count(1), 1U);
    EXPECT_EQ(histogram.count(DeliveryHistogram::kBuckets - 1), 1U);
    EXPECT_EQ(histogram.count(DeliveryHistogram::kBuckets), 1U);
    EXPECT_NEAR(histogram.sum_seconds(), 0.010 + 11 * 86400, 1e-6);
    EXPECT_TRUE(std::ranges::is_sorted(kDeliveryBuckets));
}

TEST(ShardMetrics, unknown_destinations_are_other) {
    ShardMetrics shard(3);
    shard.delivery(2, Outcome::delivered);
    shard.delivery(3, Outcome::delivered);
    shard.delivery(4'000'000'000, Outcome::bounced);
    EXPECT_EQ(shard.destination(2).deliveries[0].value(), 1U);
    EXPECT_EQ(shard.destination(kOtherDestination).deliveries[0].value(), 1U);
    EXPECT_EQ(shard.destination(kOtherDestination).deliveries[2].value(), 1U);
}

TEST(ShardMetrics, destinations_are_bounded) {
    EXPECT_EQ(ShardMetrics(0).destinations(), 1U);
    EXPECT_EQ(ShardMetrics(1'000'000).destinations(), kMostDestinations);
}

TEST(ShardMetrics, stands_on_cache_lines_of_its_own) {
    EXPECT_EQ(alignof(ShardMetrics) % 64, 0U);
    EXPECT_EQ(sizeof(ShardMetrics) % 64, 0U);
    EXPECT_EQ(alignof(DestinationCounters) % 64, 0U);
}

TEST(ShardMetrics, the_busy_ratio_is_of_the_time_since_the_last) {
    ShardMetrics shard;
    const auto ratio = [&] { return shard.engine().busy_parts_per_million.value(); };
    EngineTotals totals;
    totals.busy_ns = 50'000'000;
    totals.idle_ns = 150'000'000;
    shard.publish(totals);
    EXPECT_EQ(ratio(), 250'000U);
    totals.busy_ns += 10'000'000;  // too short a time to say
    shard.publish(totals);
    EXPECT_EQ(ratio(), 250'000U);
    totals.busy_ns += 990'000'000;
    shard.publish(totals);
    EXPECT_EQ(ratio(), 1'000'000U);
    totals.idle_ns += 1'000'000'000;
    shard.publish(totals);
    EXPECT_EQ(ratio(), 0U);
    EXPECT_EQ(shard.engine().busy_ns.value(), 1'050'000'000U);
}

// Under the thread sanitizer this fails if a read is not atomic.
TEST(ShardMetrics, may_be_read_while_it_is_written) {
    ShardMetrics shard;
    constexpr std::uint64_t kTimes = 200'000;
    std::jthread writer([&] {
        for (std::uint64_t i = 0; i < kTimes; ++i) {
            shard.received(Protocol::smtp);
            shard.finished(1ms);
            shard.entered(Queue::ready);
        }
    });
    std::uint64_t before = 0;
    while (before < kTimes) {
        const std::uint64_t seen = shard.received_count(Protocol::smtp).value();
        ASSERT_GE(seen, before);
        before = seen;
    }
    writer.join();
    EXPECT_EQ(shard.delivery_seconds().count(0), kTimes);
    EXPECT_EQ(shard.queue(Queue::ready).value(), static_cast<std::int64_t>(kTimes));
}

}  // namespace
}  // namespace metrics
