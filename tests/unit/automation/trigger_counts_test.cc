#include "relay/automation/trigger_counts.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

using namespace std::chrono_literals;

const core::Instant kStart{1000h};

TEST(TriggerCounts, the_last_of_n_within_the_period_is_the_trigger) {
    TriggerCounts counts;
    const core::Rate thrice{3, 1h};
    EXPECT_FALSE(counts.count(1, "a", thrice, kStart));
    EXPECT_FALSE(counts.count(1, "a", thrice, kStart + 30min));
    EXPECT_TRUE(counts.count(1, "a", thrice, kStart + 59min));
    EXPECT_TRUE(counts.count(1, "a", thrice, kStart + 60min));  // those after the first: three too
    EXPECT_FALSE(counts.count(1, "a", thrice, kStart + 3h));
}

TEST(TriggerCounts, the_period_slides) {
    TriggerCounts counts;
    const core::Rate twice{2, 1h};
    for (int i = 0; i < 100; ++i)
        EXPECT_FALSE(counts.count(1, "a", twice, kStart + i * 1h)) << i;
    EXPECT_TRUE(counts.count(1, "a", twice, kStart + 99h + 59min));
}

TEST(TriggerCounts, rules_and_scopes_are_counted_apart) {
    TriggerCounts counts;
    const core::Rate twice{2, 1h};
    EXPECT_FALSE(counts.count(1, "a", twice, kStart));
    EXPECT_FALSE(counts.count(1, "b", twice, kStart));
    EXPECT_FALSE(counts.count(2, "a", twice, kStart));
    EXPECT_TRUE(counts.count(1, "b", twice, kStart));
}

TEST(TriggerCounts, large_numbers_are_counted_within_a_fifteenth_of_the_period) {
    TriggerCounts counts;
    const core::Rate many{1000, 15min};
    for (int i = 0; i < 999; ++i)
        EXPECT_FALSE(counts.count(1, "a", many, kStart + i * 100ms)) << i;
    EXPECT_TRUE(counts.count(1, "a", many, kStart + 14min));
    EXPECT_FALSE(counts.count(1, "a", many, kStart + 18min));
    // A steady rate just below never triggers.
    for (int i = 0; i < 5000; ++i)
        EXPECT_FALSE(counts.count(2, "a", many, kStart + i * 1s)) << i;
}

TEST(TriggerCounts, what_was_told_just_now_is_not_told_again) {
    TriggerCounts counts;
    EXPECT_TRUE(counts.tell(1, "a", kStart));
    EXPECT_FALSE(counts.tell(1, "a", kStart + 900ms));
    EXPECT_TRUE(counts.tell(1, "b", kStart + 900ms));
    EXPECT_TRUE(counts.tell(1, "a", kStart + 1100ms));
    EXPECT_FALSE(counts.tell(1, "a", kStart + 2s));
}

TEST(TriggerCounts, the_scope_that_was_silent_longest_is_forgotten) {
    TriggerCounts counts;
    const core::Rate twice{2, 1h};
    EXPECT_FALSE(counts.count(1, "first", twice, kStart));
    EXPECT_FALSE(counts.count(1, "second", twice, kStart));
    for (std::size_t i = 0; i < TriggerCounts::kMostTracked - 1; ++i)
        counts.count(1, std::to_string(i), twice, kStart);
    EXPECT_EQ(counts.tracked(), TriggerCounts::kMostTracked);
    EXPECT_TRUE(counts.count(1, "second", twice, kStart));
    EXPECT_FALSE(counts.count(1, "first", twice, kStart));
}

}  // namespace
}  // namespace relay
