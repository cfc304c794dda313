#include "relay/egress/warmup_ledger.h"

#include <string>

#include <gtest/gtest.h>

#include "relay/egress/source.h"

namespace relay {
namespace {

constexpr std::int64_t kDay = 20'000;

std::uint32_t take_all(WarmupLedger& ledger, std::uint32_t allowance, std::int64_t day = kDay,
                       const std::string& provider = "p") {
    std::uint32_t taken = 0;
    while (const std::uint32_t more = ledger.lease("ip-1", provider, day, allowance))
        taken += more;
    return taken;
}

void write(WarmupLedger& ledger) {
    ledger.text(false);
    ledger.written();
}

TEST(Warmup, a_plan_says_what_each_day_may_have) {
    const Warmup warmup{.source = "a", .start = kDay, .plan = {50, 100}, .overflow = "b"};
    EXPECT_EQ(warmup.allowance(kDay - 1), 0U);
    EXPECT_EQ(warmup.allowance(kDay), 50U);
    EXPECT_EQ(warmup.allowance(kDay + 1), 100U);
    EXPECT_EQ(warmup.allowance(kDay + 2), std::nullopt);
}

TEST(Warmup, a_day_gives_its_allowance_and_no_more) {
    WarmupLedger ledger(4);
    EXPECT_EQ(take_all(ledger, 500), 500U);
    EXPECT_EQ(take_all(ledger, 500, kDay, "q"), 500U);
    EXPECT_EQ(take_all(ledger, 700), 200U);  // a reload raised it
    EXPECT_EQ(take_all(ledger, 300), 0U);
    EXPECT_EQ(take_all(ledger, 500, kDay + 1), 500U);
    EXPECT_EQ(take_all(ledger, 500, kDay), 0U);  // a clock that went back
    ASSERT_EQ(ledger.progress(kDay + 1).size(), 1U);
    EXPECT_EQ(ledger.progress(kDay + 1)[0].taken, 500U);
    EXPECT_TRUE(ledger.progress(kDay).empty());
}

TEST(Warmup, a_shard_takes_one_message_at_a_time_of_its_lease) {
    WarmupLedger ledger(2);
    WarmupShare one(ledger);
    WarmupShare other(ledger);
    std::size_t taken = 0;
    for (int i = 0; i < 100; ++i) {
        taken += one.take("a", "p", kDay, 50) ? 1 : 0;
        taken += other.take("a", "p", kDay, 50) ? 1 : 0;
    }
    EXPECT_EQ(taken, 50U);
    EXPECT_TRUE(one.take("a", "p", kDay + 1, 50));
}

TEST(Warmup, what_is_kept_bounds_what_is_given) {
    WarmupLedger ledger(1);
    ledger.keep();
    EXPECT_EQ(take_all(ledger, 400), 0U);  // the file does not say yet that the day is open
    EXPECT_TRUE(ledger.is_changed());
    write(ledger);
    EXPECT_EQ(take_all(ledger, 400), 100U);  // a quarter
    write(ledger);
    EXPECT_EQ(take_all(ledger, 400), 100U);
    write(ledger);
    write(ledger);
    EXPECT_EQ(take_all(ledger, 400), 100U);
    write(ledger);
    EXPECT_EQ(take_all(ledger, 400), 100U);
    write(ledger);
    EXPECT_EQ(take_all(ledger, 400), 0U);
    EXPECT_EQ(take_all(ledger, 400, kDay + 1), 0U);
}

TEST(Warmup, a_clean_end_loses_nothing) {
    WarmupLedger first(1);
    first.keep();
    take_all(first, 40);
    write(first);
    EXPECT_EQ(take_all(first, 40), 25U);
    WarmupLedger second(1);
    second.read(first.text(true), kDay);
    second.keep();
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(take_all(second, 40), 0U);
        write(second);
    }
    EXPECT_EQ(take_all(second, 40), 15U);
}

// Whatever the file says at the moment of the kill: the two runs together stay within the plan.
TEST(Warmup, a_kill_never_leads_above_the_plan) {
    for (int writes = 0; writes < 6; ++writes) {
        WarmupLedger first(2);
        first.keep();
        std::string file;
        for (int i = 0; i < writes; ++i) {
            take_all(first, 200);
            take_all(first, 200, kDay, "q" + std::to_string(i));
            file = first.text(false);
            first.written();
        }
        take_all(first, 200);
        take_all(first, 200, kDay, "late");
        WarmupLedger second(2);
        second.read(file, kDay);
        second.keep();
        take_all(second, 200);
        write(second);
        std::uint32_t again = take_all(second, 200);
        for (const auto& each : first.progress(kDay)) {
            std::uint32_t more = 0;
            for (int i = 0; i < 6; ++i) {
                more += take_all(second, 200, kDay, each.provider);
                write(second);
            }
            if (each.provider == "p") more += again;
            EXPECT_LE(each.taken + more, 200U) << each.provider << " after " << writes;
        }
    }
}

TEST(Warmup, a_file_of_an_earlier_day_says_nothing) {
    for (const std::string& text : {std::string("warmup 1\n19999 clean\n50\tip-1\tp\n"),
                                    std::string("warmup 1\n20000 clean\nx\tip-1\tp\n")}) {
        WarmupLedger ledger(1);
        ledger.read(text, kDay);
        EXPECT_EQ(take_all(ledger, 50), 50U) << text;
    }
}

TEST(Warmup, a_file_that_cannot_be_understood_gives_nothing_more_that_day) {
    const std::string later = "warmup 1\n" + std::to_string(kDay + 1) + " clean\n";
    for (const std::string& text :
         {std::string(), std::string("warmup 2\nx\n"), std::string("warmup 1\nx clean\n"), later}) {
        WarmupLedger ledger(2);
        EXPECT_FALSE(ledger.read(text, kDay)) << text;
        EXPECT_EQ(ledger.lease("ip-1", "other", kDay, 100), 0U) << text;
        EXPECT_GT(ledger.lease("ip-1", "other", kDay + 1, 100), 0U) << text;
    }
    WarmupLedger ledger(2);
    EXPECT_TRUE(
        ledger.read("warmup 1\n" + std::to_string(kDay - 1) + " clean\n40\tip-1\tother\n", kDay));
    EXPECT_GT(ledger.lease("ip-1", "other", kDay, 100), 0U);
}

}  // namespace
}  // namespace relay
