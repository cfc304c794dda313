#include "relay/admin/queue_report.h"

#include <array>

#include <gtest/gtest.h>

namespace relay {
namespace {

using namespace std::chrono_literals;

// U8: the log says why mail waits.
TEST(QueueReport, says_what_waits_and_what_came_of_attempts) {
    metrics::ShardMetrics one(2);
    metrics::ShardMetrics other(2);
    const std::array<const metrics::ShardMetrics*, 2> shards{&one, &other};
    const core::WallTime now(std::chrono::days(20'000));
    QueueReport report;
    EXPECT_EQ(report.line(shards, {}, now), std::nullopt);

    one.entered(metrics::Queue::scheduled, 40);
    other.entered(metrics::Queue::scheduled, 2);
    other.entered(metrics::Queue::ready, 3);
    one.oldest(now - 3h - 5min);
    other.oldest(now - 1min);
    one.delivery(1, metrics::Outcome::deferred);
    other.delivery(0, metrics::Outcome::delivered);
    other.connect(0, metrics::Connect::refused);
    other.connect(0, metrics::Connect::ready);
    one.throttled(metrics::Throttle::connection_limit);
    EXPECT_EQ(
        report.line(shards, {}, now),
        "queue: 42 wait for a later attempt, 3 for a connection, 0 for a reply; the oldest for "
        "3 h 5 min; since the last line 1 delivered, 1 deferred, 0 bounced, 0 expired; failed: "
        "connections (1); held back by connection_limit (1)");
    // Only what is new counts, and what is suspended now.
    one.orders().suspended.add(7);
    EXPECT_EQ(
        report.line(shards, {}, now),
        "queue: 42 wait for a later attempt, 3 for a connection, 0 for a reply; the oldest for "
        "3 h 5 min; since the last line 0 delivered, 0 deferred, 0 bounced, 0 expired; suspended "
        "7");
}

// U8: and for whom.
TEST(QueueReport, names_the_three_sites_that_hold_up_most) {
    metrics::ShardMetrics metrics(1);
    const std::array<const metrics::ShardMetrics*, 1> shards{&metrics};
    const core::WallTime now(std::chrono::days(20'000));
    metrics.entered(metrics::Queue::scheduled, 1);
    metrics.oldest(now - 2min);
    LargestSites one;
    LargestSites other;
    const std::array<const LargestSites*, 2> largest{&one, &other};
    QueueReport report;
    const auto said = [&] {
        const std::string line = report.line(shards, largest, now).value_or("");
        const auto at = line.find("; most for ");
        return at == std::string::npos ? std::string() : line.substr(at);
    };
    one.offer("small.example", 3);
    one.offer("idle.example", 0);
    EXPECT_EQ(said(), "");  // the sweep goes on
    for (const auto& [site, recipients] :
         {std::pair{"b.example", 20}, {"d.example", 5}, {"c.example", 10}, {"e.example", 4}})
        one.offer(site, static_cast<std::uint64_t>(recipients));
    one.publish();
    other.offer("a.example", 30);
    other.publish();
    EXPECT_EQ(said(), "; most for a.example (30), b.example (20), c.example (10)");
    one.publish();  // the next sweep found nothing
    EXPECT_EQ(said(), "; most for a.example (30)");
}

TEST(QueueReport, is_silent_while_mail_flows) {
    metrics::ShardMetrics one(1);
    const std::array<const metrics::ShardMetrics*, 1> shards{&one};
    const core::WallTime now(std::chrono::days(20'000));
    QueueReport report;
    one.entered(metrics::Queue::ready, 1000);
    one.entered(metrics::Queue::in_flight, 20);
    one.oldest(now - 2s);
    EXPECT_EQ(report.line(shards, {}, now), std::nullopt);
    one.oldest(now - 2min);
    EXPECT_TRUE(report.line(shards, {}, now).has_value());
}

}  // namespace
}  // namespace relay
