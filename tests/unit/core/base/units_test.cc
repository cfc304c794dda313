#include "core/base/units.h"

#include <string>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using core::parse_duration;
using core::parse_rate;
using core::parse_size;
using core::Rate;

TEST(Duration, reads_every_unit) {
    EXPECT_EQ(parse_duration("250ms"), 250ms);
    EXPECT_EQ(parse_duration("30s"), 30s);
    EXPECT_EQ(parse_duration("5m"), 5min);
    EXPECT_EQ(parse_duration("2h"), 2h);
    EXPECT_EQ(parse_duration("5d"), std::chrono::days(5));
    EXPECT_EQ(parse_duration("0s"), 0s);
    EXPECT_EQ(parse_duration(" 1 h "), 1h);
    EXPECT_EQ(parse_duration("5 secs"), 5s);
    EXPECT_EQ(parse_duration("1minute"), 1min);
    EXPECT_EQ(parse_duration("3 hours"), 3h);
    EXPECT_EQ(parse_duration("2 days"), 48h);
}

TEST(Duration, refuses_what_is_no_duration) {
    for (const char* text :
         {"", "s", "5", "5 years", "-5s", "1.5s", "5S", "0x5s", "5s5s", "1h30m"}) {
        EXPECT_FALSE(parse_duration(text).has_value()) << text;
    }
}

TEST(Duration, ends_at_a_century) {
    EXPECT_TRUE(parse_duration("36525d").has_value());
    EXPECT_FALSE(parse_duration("36526d").has_value());
    EXPECT_FALSE(parse_duration("99999999999999999999999d").has_value());
    EXPECT_EQ(parse_duration("18446744073709551617ms").error(),
              "\"18446744073709551617ms\" is too large");
}

TEST(Size, reads_every_unit) {
    EXPECT_EQ(parse_size("0B"), 0U);
    EXPECT_EQ(parse_size("17B"), 17U);
    EXPECT_EQ(parse_size("64KiB"), 65536U);
    EXPECT_EQ(parse_size("50MiB"), 52428800U);
    EXPECT_EQ(parse_size("2GiB"), 2147483648U);
}

TEST(Size, refuses_what_is_no_size) {
    for (const char* text : {"", "MiB", "5", "5MB", "5mib", "-5B", "1.5GiB", "80%"}) {
        EXPECT_FALSE(parse_size(text).has_value()) << text;
    }
    EXPECT_TRUE(parse_size("8589934591GiB").has_value());
    EXPECT_FALSE(parse_size("8589934592GiB").has_value());
}

TEST(Rates, read_short_and_long_forms) {
    EXPECT_EQ(parse_rate("100/s"), (Rate{100, 1s}));
    EXPECT_EQ(parse_rate("100/m"), (Rate{100, 1min}));
    EXPECT_EQ(parse_rate("100/min"), (Rate{100, 1min}));
    EXPECT_EQ(parse_rate("1/minute"), (Rate{1, 1min}));
    EXPECT_EQ(parse_rate("5/hr"), (Rate{5, 1h}));
    EXPECT_EQ(parse_rate("5/hour"), (Rate{5, 1h}));
    EXPECT_EQ(parse_rate("1/day"), (Rate{1, std::chrono::days(1)}));
    EXPECT_EQ(parse_rate("1,000/s"), (Rate{1000, 1s}));
    EXPECT_EQ(parse_rate("10_000 / h"), (Rate{10000, 1h}));
}

TEST(Rates, refuse_nothing_and_nonsense) {
    for (const char* text : {"", "/s", "100", "100/", "100/week", "0/s", "-1/s", "1.5/s", ",1/s",
                             "1000000001/s", "99999999999999999999/s", "1/s/s"}) {
        EXPECT_FALSE(parse_rate(text).has_value()) << text;
    }
}

TEST(Rates, have_an_interval_of_at_least_a_nanosecond) {
    EXPECT_EQ(parse_rate("1000000000/s")->interval(), 1ns);
    EXPECT_EQ(parse_rate("100/m")->interval(), 600ms);
}

TEST(Quantities, quote_only_the_beginning_of_what_they_refuse) {
    EXPECT_LT(parse_rate(std::string(100000, 'x')).error().size(), 200U);
}

TEST(Units, are_written_as_they_are_read) {
    for (const char* text : {"0s", "250ms", "90s", "1m", "36h", "5d", "1001ms"})
        EXPECT_EQ(core::write_duration(*parse_duration(text)), text);
    EXPECT_EQ(core::write_duration(60s), "1m");
    EXPECT_EQ(core::write_duration(24h), "1d");
    for (const char* text : {"0B", "1B", "1023B", "64MiB", "3GiB", "1025KiB"})
        EXPECT_EQ(core::write_size(*parse_size(text)), text);
    EXPECT_EQ(core::write_size(1U << 20), "1MiB");
    for (const char* text : {"1/s", "100/m", "5000/h", "7/d"})
        EXPECT_EQ(core::write_rate(*parse_rate(text)), text);
}

}  // namespace
