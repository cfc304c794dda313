#include "bench/load/load_plan.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "bench/load/latency_histogram.h"

namespace bench {
namespace {

TEST(LoadPlan, writes_valid_messages_of_the_wanted_size) {
    for (const std::uint64_t size : {1000U, 1001U, 1077U, 10240U, 100000U}) {
        const auto plan = LoadPlan::create({.size = size, .run_id = "run", .dot_lines = 3});
        ASSERT_TRUE(plan);
        Draft draft;
        plan->compose(0, draft);
        const std::string message = draft.header + std::string(plan->body());
        EXPECT_NEAR(static_cast<double>(message.size()), static_cast<double>(size), 1.0);
        EXPECT_TRUE(message.ends_with("\r\n"));
        EXPECT_TRUE(plan->body().starts_with("\r\n"));
        std::size_t dots = 0;
        for (std::size_t at = 0; at < message.size();) {
            const auto end = message.find("\r\n", at);
            ASSERT_NE(end, std::string::npos);
            EXPECT_LE(end - at, 78U);
            EXPECT_EQ(message.substr(at, end - at).find_first_of("\r\n"), std::string::npos);
            dots += message[at] == '.';
            at = end + 2;
        }
        EXPECT_EQ(dots, 3U);
        EXPECT_EQ(plan->stuffed_body().size(), plan->body().size() + 3);
        EXPECT_EQ(plan->stuffed_body().find("\r\n.\r\n"), std::string::npos);
    }
}

TEST(LoadPlan, numbers_messages_once_and_for_all) {
    auto plan = LoadPlan::create({.messages = 5, .domains = 2, .run_id = "run"});
    ASSERT_TRUE(plan);
    std::set<std::string> headers;
    Draft draft;
    while (const auto number = plan->claim()) {
        plan->compose(*number, draft);
        EXPECT_TRUE(draft.header.starts_with("X-Load-Id: run-" + std::to_string(*number) + "\r\n"));
        headers.insert(draft.header);
    }
    EXPECT_EQ(headers.size(), 5U);
    EXPECT_FALSE(plan->claim());
}

TEST(LoadPlan, spreads_over_domains_by_weight) {
    const auto plan = LoadPlan::create({.weighted = {"big.example=3", "small.example"}});
    ASSERT_TRUE(plan);
    std::map<std::string, int> found;
    Draft draft;
    for (std::uint64_t i = 0; i < 10000; ++i) {
        plan->compose(i, draft);
        ++found[draft.recipients.front().substr(draft.recipients.front().find('@') + 1)];
    }
    EXPECT_NEAR(found["big.example"], 7500, 200);
    EXPECT_NEAR(found["small.example"], 2500, 200);
    EXPECT_FALSE(LoadPlan::create({.weighted = {"a.example=0"}}));
}

TEST(LoadPlan, gives_each_message_distinct_recipients) {
    const auto plan = LoadPlan::create({.recipients_per_message = 50, .distinct_recipients = 10});
    ASSERT_TRUE(plan);
    Draft draft;
    plan->compose(3, draft);
    EXPECT_EQ(std::set(draft.recipients.begin(), draft.recipients.end()).size(), 50U);
}

TEST(LoadPlan, mixes_domains_within_a_message_when_asked) {
    const auto plan =
        LoadPlan::create({.recipients_per_message = 20, .domains = 100, .mixed_domains = true});
    ASSERT_TRUE(plan);
    std::set<std::string> domains;
    Draft draft;
    for (std::uint64_t number = 0; number < 5; ++number) {
        plan->compose(number, draft);
        for (const auto& recipient : draft.recipients) {
            domains.insert(recipient.substr(recipient.find('@')));
        }
    }
    EXPECT_EQ(domains.size(), 100U);
}

TEST(LatencyHistogram, knows_percentiles_within_three_percent) {
    LatencyHistogram histogram;
    for (int i = 1; i <= 10000; ++i)
        histogram.add(std::chrono::microseconds{i * 10});
    EXPECT_NEAR(histogram.milliseconds(0.5), 50, 50 * 0.03);
    EXPECT_NEAR(histogram.milliseconds(0.99), 99, 99 * 0.03);
    EXPECT_EQ(histogram.milliseconds(1), 100);
    LatencyHistogram other;
    other.add(std::chrono::nanoseconds{3});
    EXPECT_EQ(other.milliseconds(0), 3e-6);
    histogram.merge(other);
    EXPECT_EQ(histogram.count(), 10001U);
}

}  // namespace
}  // namespace bench
