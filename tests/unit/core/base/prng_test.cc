#include "core/base/prng.h"

#include <algorithm>
#include <array>
#include <numeric>

#include <gtest/gtest.h>

namespace core {
namespace {

TEST(Prng, the_same_seed_gives_the_same_numbers) {
    Prng a{7}, b{7}, c{8};
    bool differs = false;
    for (int i = 0; i < 100; ++i) {
        const auto value = a.next();
        EXPECT_EQ(value, b.next());
        differs |= value != c.next();
    }
    EXPECT_TRUE(differs);
}

TEST(Prng, seed_zero_is_no_trap) {
    Prng prng{0};
    std::uint64_t all = 0;
    for (int i = 0; i < 64; ++i)
        all |= prng.next();
    EXPECT_EQ(all, ~std::uint64_t{0});
}

TEST(Prng, below_stays_below_and_is_roughly_even) {
    Prng prng{1};
    std::array<int, 10> counts{};
    for (int i = 0; i < 100'000; ++i) {
        const auto value = prng.below(10);
        ASSERT_LT(value, 10U);
        ++counts[value];
    }
    const auto [low, high] = std::ranges::minmax(counts);
    EXPECT_GT(low, 9'500);
    EXPECT_LT(high, 10'500);
    EXPECT_EQ(prng.below(1), 0U);
}

TEST(Prng, shuffles) {
    std::array<int, 50> values{};
    std::iota(values.begin(), values.end(), 0);
    const auto sorted = values;
    Prng prng{3};
    std::ranges::shuffle(values, prng);
    EXPECT_NE(values, sorted);
    EXPECT_TRUE(std::ranges::is_permutation(values, sorted));
}

}  // namespace
}  // namespace core
