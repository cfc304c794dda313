#include "core/io/batch_wait.h"

#include <gtest/gtest.h>

namespace core {
namespace {

// Waits that bring so many completions each; returns how many of them were long.
unsigned long_ones(BatchWait& wait, unsigned waits, unsigned completions) {
    unsigned count = 0;
    for (unsigned i = 0; i < waits; ++i) {
        if (!wait.next_is_long()) continue;
        ++count;
        wait.note(completions);
    }
    return count;
}

TEST(BatchWait, a_loop_with_one_client_waits_longer_only_to_ask) {
    BatchWait wait;
    EXPECT_EQ(long_ones(wait, 64 * 100, 1), 100U);
    EXPECT_EQ(long_ones(wait, 64 * 100, BatchWait::kWorthwhile - 1), 100U);
    EXPECT_FALSE(wait.batched());
}

TEST(BatchWait, a_busy_loop_waits_for_several_completions_after_a_few_questions) {
    BatchWait wait;
    long_ones(wait, BatchWait::kProbeEvery * 4, 8);
    EXPECT_TRUE(wait.batched());
    EXPECT_EQ(long_ones(wait, 1000, 8), 1000U);
}

TEST(BatchWait, one_burst_teaches_nothing) {
    BatchWait wait;
    long_ones(wait, BatchWait::kProbeEvery, BatchWait::kWorthwhile);
    EXPECT_FALSE(wait.batched());
}

TEST(BatchWait, a_loop_that_becomes_quiet_stops_within_a_few_waits) {
    BatchWait wait;
    long_ones(wait, BatchWait::kProbeEvery * 10, 12);
    ASSERT_TRUE(wait.batched());
    EXPECT_LE(long_ones(wait, BatchWait::kProbeEvery - 1, 0), 8U);
    EXPECT_FALSE(wait.batched());
}

}  // namespace
}  // namespace core
