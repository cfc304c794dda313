#include "core/io/batch_wait.h"

#include <gtest/gtest.h>

namespace core {
namespace {

TEST(BatchWaitTest, a_loop_yields_before_it_sleeps) {
    BatchWait wait;
    for (int i = 0; i < 1000; ++i) {
        EXPECT_TRUE(wait.yields_first());
        wait.yielded(BatchWait::kLong);
    }
}

TEST(BatchWaitTest, a_neighbour_that_keeps_the_cpu_is_given_it_once_in_a_hundred_waits) {
    BatchWait wait;
    unsigned yields = 0;
    constexpr unsigned kWaits = 100 * (BatchWait::kRest + 1);
    for (unsigned i = 0; i < kWaits; ++i) {
        if (!wait.yields_first()) continue;
        ++yields;
        wait.yielded(BatchWait::kLong + std::chrono::nanoseconds{1});
    }
    EXPECT_EQ(yields, 100u);
}

TEST(BatchWaitTest, it_yields_again_when_the_neighbour_is_gone) {
    BatchWait wait;
    EXPECT_TRUE(wait.yields_first());
    wait.yielded(std::chrono::milliseconds{3});
    for (unsigned i = 0; i < BatchWait::kRest; ++i)
        EXPECT_FALSE(wait.yields_first());
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(wait.yields_first());
        wait.yielded(std::chrono::microseconds{2});
    }
}

}  // namespace
}  // namespace core
