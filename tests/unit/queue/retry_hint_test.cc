#include "relay/queue/retry_hint.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

core::Duration pause(std::uint16_t code, std::string text, bool local = false) {
    Disposition said;
    said.outcome = Outcome::deferred;
    said.code = code;
    said.text = std::move(text);
    said.local = local;
    return asked_pause(said);
}

TEST(RetryHint, GreylistingMeansFiveMinutesAtLeast) {
    EXPECT_EQ(pause(451, "Greylisted, see http://postgrey.example/"), minutes{5});
    EXPECT_EQ(pause(450, "You have been graylisted"), minutes{5});
    EXPECT_EQ(pause(450, "Recipient address rejected: Greylisted for 60 seconds"), minutes{5});
    EXPECT_EQ(pause(450, "grey-listed, please try again in 10 minutes"), minutes{10});
}

TEST(RetryHint, ATimeThatIsNamedCounts) {
    EXPECT_EQ(pause(451, "try again in 600 seconds"), seconds{600});
    EXPECT_EQ(pause(450, "Please retry in 20 min"), minutes{20});
    EXPECT_EQ(pause(450, "retry after 3 sec"), minutes{5});
    EXPECT_EQ(pause(451, "try again in 999999 minutes"), std::chrono::hours{1});
    EXPECT_EQ(pause(451, "mail in 7 boxes, try again in 7m, in 6 minutes"), minutes{6});
}

TEST(RetryHint, OtherWordsAskForNothing) {
    EXPECT_EQ(pause(451, "try again later"), core::Duration{});
    EXPECT_EQ(pause(451, "try again in 12345678901234567890 seconds"), core::Duration{});
    EXPECT_EQ(pause(451, "the delivery in 300 seconds was too fast"), core::Duration{});
    EXPECT_EQ(pause(452, "greylisted"), core::Duration{});
    EXPECT_EQ(pause(421, "greylisted"), core::Duration{});
    EXPECT_EQ(pause(451, "greylisted", true), core::Duration{});
    EXPECT_EQ(pause(451, "gray"), core::Duration{});
    EXPECT_EQ(pause(451, ""), core::Duration{});
}

}  // namespace
}  // namespace relay
