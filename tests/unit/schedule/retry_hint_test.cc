#include "relay/schedule/retry_hint.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace relay {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// 2026-11-30T12:00:00Z
constexpr core::WallTime kNow{std::chrono::sys_days{std::chrono::November / 30 / 2026} + hours{12}};

core::Duration pause(std::uint16_t code, std::string_view text, bool local = false) {
    Disposition said;
    said.outcome = Outcome::deferred;
    said.quote(Reply{code, {}, std::string(text)});
    said.local = local;
    return asked_pause(said, kNow);
}

TEST(RetryHint, greylisting_without_a_time_means_five_minutes) {
    EXPECT_EQ(pause(451, "Greylisted, see http://postgrey.example/"), minutes{5});
    EXPECT_EQ(pause(450, "You have been graylisted"), minutes{5});
    EXPECT_EQ(pause(421, "4.7.1 grey-listed"), minutes{5});
    EXPECT_EQ(pause(452, "greylisting in action"), minutes{5});
}

// C7: not before the time that was named.
TEST(RetryHint, a_time_that_is_named_counts_in_every_form) {
    const std::pair<const char*, core::Duration> kSaid[] = {
        {"Greylisted for 900 seconds", seconds{900}},
        {"Greylisted, please come back in 00:30:00", minutes{30}},
        {"try again: retry in 1 hour", hours{1}},
        {"try again after 5 min", minutes{5}},
        {"Recipient address rejected: Greylisted for 60 seconds", minutes{1}},
        {"grey-listed, please try again in 10 minutes", minutes{10}},
        {"try again in 600 seconds", seconds{600}},
        {"Please retry in 20 min", minutes{20}},
        {"please wait 5 minutes", minutes{5}},
        {"retry after 3 sec", seconds{3}},
        {"retry-after: 120", seconds{120}},
        {"try again in 300", seconds{300}},
        {"Greylisted (299 seconds remaining)", seconds{299}},
        {"greylisted: 180 seconds left", seconds{180}},
        {"retry time: 15m", minutes{15}},
        {"please try again in 1h30m", minutes{90}},
        {"please try again in 1 hour and 30 minutes", minutes{90}},
        {"retry in an hour", hours{1}},
        {"retry in half an hour", minutes{30}},
        {"retry in ten minutes", minutes{10}},
        {"try again in 5-10 minutes", minutes{10}},
        {"try again in 5 to 10 minutes", minutes{10}},
        {"come back in 05:00", minutes{5}},
        {"retry in PT15M", minutes{15}},
        {"retry in PT1H30M", minutes{90}},
        {"retry in P1D", hours{24}},
        {"not accepted until 2026-11-30T12:45:00Z, try again", minutes{45}},
        {"deferred until 2026-11-30 14:00:00 +0100", hours{1}},
        {"try again in 2 hour(s)", hours{2}},
        {"try again 20 minutes later", minutes{20}},
        {"Greylisted for 300 seconds\n451 see http://example.test/in 9 hours", seconds{300}},
        {"Bitte versuchen Sie es in 10 Minuten erneut", minutes{10}},
        {"Bitte nach 2 Stunden wieder", hours{2}},
        {"Veuillez réessayer dans 15 minutes", minutes{15}},
        {"Riprovare tra 20 minuti", minutes{20}},
        {"Intente de nuevo en 30 segundos", seconds{30}},
        {"Повторите через 7 минут", minutes{7}},
        {"повторите попытку через 1 час", hours{1}},
        {"请在30分钟后重试", minutes{30}},
        {"请在 2 小时后重试", hours{2}},
    };
    for (const auto& [text, wanted] : kSaid)
        EXPECT_EQ(pause(450, text), wanted) << text;
}

TEST(RetryHint, the_time_may_stand_after_what_is_kept_of_the_reply) {
    EXPECT_EQ(pause(451, std::string(3000, 'x') + " greylisted, try again in 40 minutes"),
              minutes{40});
}

TEST(RetryHint, every_code_that_defers_may_name_a_time) {
    for (const int code : {421, 450, 451, 452, 499, 550})
        EXPECT_EQ(pause(static_cast<std::uint16_t>(code), "try again in 12 minutes"), minutes{12})
            << code;
}

TEST(RetryHint, a_day_is_the_longest_pause) {
    EXPECT_EQ(pause(451, "try again in 999999 minutes"), hours{24});
    EXPECT_EQ(pause(451, "try again in 999999999 weeks"), hours{24});
    EXPECT_EQ(pause(451, "retry after 2027-11-30T12:00:00Z"), hours{24});
}

TEST(RetryHint, other_words_ask_for_nothing) {
    for (const char* text : {"try again later", "try again in 12345678901234567890 seconds",
                             "the delivery in 300 seconds was too fast", "gray", "",
                             "in transit since 3 days, deferred", "connection 5 of 10 limit",
                             "try again, host 192.0.2.5 m", "retry, error 30 s",
                             "retry after 2020-01-01T00:00:00Z", "try again: 4.7.1 [192.0.2.1]"}) {
        EXPECT_EQ(pause(451, text), core::Duration{}) << text;
    }
    EXPECT_EQ(pause(451, "greylisted for 5 minutes", true), core::Duration{});
}

TEST(RetryHint, hostile_text_takes_linear_time) {
    std::string text = "try again ";
    for (int i = 0; i < 200; ++i)
        text += "in 1:2:3:4 1 1 1 pt1h1 2026-11-30t";
    EXPECT_GE(pause(451, text), core::Duration{});
    EXPECT_GE(pause(451, "again in " + std::string(8000, '9')), core::Duration{});
}

}  // namespace
}  // namespace relay
