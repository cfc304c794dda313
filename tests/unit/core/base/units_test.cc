#include "core/base/units.h"

#include <gtest/gtest.h>

namespace core {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Units, durations) {
    EXPECT_EQ(parse_duration("250ms"), milliseconds{250});
    EXPECT_EQ(parse_duration("30s"), seconds{30});
    EXPECT_EQ(parse_duration("20m"), minutes{20});
    EXPECT_EQ(parse_duration("4h"), hours{4});
    EXPECT_EQ(parse_duration("7d"), hours{24 * 7});
    for (const char* text :
         {"", "s", "-1s", "10", "10 parsecs", "1e9s", "99999999999999999999s", "9999999999999d"}) {
        EXPECT_FALSE(parse_duration(text)) << text;
    }
}

TEST(Units, sizes) {
    EXPECT_EQ(parse_size("512B"), 512U);
    EXPECT_EQ(parse_size("4KiB"), 4096U);
    EXPECT_EQ(parse_size("50MiB"), 50U << 20);
    EXPECT_EQ(parse_size("2GiB"), std::uint64_t{2} << 30);
    for (const char* text : {"", "MiB", "-1B", "1XB", "99999999999GiB"}) {
        EXPECT_FALSE(parse_size(text)) << text;
    }
}

TEST(Units, rates) {
    EXPECT_EQ(parse_rate("100/s"), (Rate{100, seconds{1}}));
    EXPECT_EQ(parse_rate("100/m"), (Rate{100, minutes{1}}));
    EXPECT_EQ(parse_rate("5/hour"), (Rate{5, hours{1}}));
    EXPECT_EQ(parse_rate("1/day"), (Rate{1, hours{24}}));
    EXPECT_EQ(parse_rate("1,000/s"), (Rate{1000, seconds{1}}));
    EXPECT_EQ(parse_rate("10/sec"), (Rate{10, seconds{1}}));
    EXPECT_EQ(parse_rate("100/min"), (Rate{100, minutes{1}}));
    EXPECT_EQ(parse_rate("4/s")->interval(), milliseconds{250});
    for (const char* text : {"", "/s", "0/s", "-1/s", "10", "10/", "10/fortnight", "1.5/s"}) {
        EXPECT_FALSE(parse_rate(text)) << text;
    }
}

}  // namespace
}  // namespace core
