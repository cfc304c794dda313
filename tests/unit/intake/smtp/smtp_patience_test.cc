#include "relay/intake/smtp/smtp_patience.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr core::Instant kOpened{hours{1}};

core::Duration patience(const SmtpPatience& patience, core::Instant now,
                        std::optional<std::uint64_t> content = std::nullopt) {
    return patience.deadline(now, content) - now;
}

TEST(SmtpPatience, a_client_has_five_minutes_for_each_command) {
    const SmtpTimes times;
    const SmtpPatience client(times, kOpened, false);
    EXPECT_EQ(patience(client, kOpened), seconds{300});
    EXPECT_EQ(patience(client, kOpened + hours{5}), seconds{300});
}

TEST(SmtpPatience, a_stranger_has_a_minute_for_everything) {
    const SmtpTimes times;
    const SmtpPatience stranger(times, kOpened, true);
    EXPECT_EQ(patience(stranger, kOpened), seconds{60});
    EXPECT_EQ(patience(stranger, kOpened + seconds{50}), seconds{10});
}

TEST(SmtpPatience, content_has_to_keep_up_an_average_rate) {
    const SmtpTimes times;
    SmtpPatience client(times, kOpened, false);
    client.begin_content(kOpened);
    EXPECT_EQ(patience(client, kOpened, 0), seconds{60});
    EXPECT_EQ(patience(client, kOpened + seconds{59}, 5000), seconds{6});
    // Whatever it earned: five minutes of silence, an hour in all.
    EXPECT_EQ(patience(client, kOpened, 10'000'000), seconds{300});
    EXPECT_EQ(patience(client, kOpened + minutes{58}, 1'000'000'000), minutes{2});
}

TEST(SmtpPatience, while_it_drains_only_content_may_take_its_time) {
    const SmtpTimes times;
    SmtpPatience client(times, kOpened, false);
    EXPECT_FALSE(client.draining());
    client.drain();
    EXPECT_TRUE(client.draining());
    EXPECT_EQ(patience(client, kOpened), seconds{2});
    client.begin_content(kOpened);
    EXPECT_EQ(patience(client, kOpened, 0), seconds{60});
}

}  // namespace
}  // namespace relay
