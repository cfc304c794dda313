#include "relay/intake/rejection_log.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "core/runtime/event.h"
#include "tests/unit/core/net/scripted_stream.h"

namespace relay {
namespace {

class RejectionLogTest : public ::testing::Test {
  protected:
    void refuse(const std::string& address, bool stranger, int times = 1) {
        for (int i = 0; i < times; ++i) {
            log_.note(
                *core::IpAddress::parse(address), stranger,
                {.sender = "a@b.example",
                 .recipient = "c@d.example",
                 .peer = {{}, address},
                 .response = {.reply = {550, {5, 7, 1}, "Relaying denied"}, .command = "RCPT"},
                 .protocol = "ESMTP",
                 .session_id = {}});
        }
    }
    std::size_t events() {
        writer_.flush();
        return static_cast<std::size_t>(std::ranges::count(sink_.lines(), '\n'));
    }
    void pass(core::Duration time) {
        core::Event never(loop_.reactor());
        loop_.run(wait(&never, loop_.reactor().now() + time));
    }
    static core::Task<void> wait(core::Event* never, core::Instant until) {
        co_await never->wait(until);
    }

    core::test::TestLoop loop_;
    MemoryEventSink sink_;
    EventWriter writer_{sink_, loop_.reactor()};
    RejectionLog log_{loop_.reactor(), writer_};
};

// H6: what a stranger sends a million times is two events a minute.
TEST_F(RejectionLogTest, refusals_of_strangers_are_summed_up) {
    refuse("192.0.2.1", true, 10'000);
    refuse("2001:db8::1", true, 5);
    refuse("2001:db8::2", true, 5);  // the same network
    EXPECT_EQ(events(), 2U);
    pass(RejectionLog::kInterval + std::chrono::seconds{1});
    EXPECT_EQ(events(), 4U);
    EXPECT_NE(sink_.lines().find("9999 more within 60 s, the last one: Relaying denied"),
              std::string::npos)
        << sink_.lines();
    EXPECT_NE(sink_.lines().find("9 more within 60 s"), std::string::npos);
    refuse("192.0.2.1", true);
    EXPECT_EQ(events(), 5U);  // an interval of its own
    log_.close();
    EXPECT_EQ(events(), 5U);
}

TEST_F(RejectionLogTest, many_strangers_have_one_sum) {
    for (int i = 0; i < 3000; ++i)
        refuse("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250), true, 2);
    EXPECT_EQ(events(), RejectionLog::kStrangers);
    log_.close();
    EXPECT_EQ(events(), 2 * RejectionLog::kStrangers + 1);
    EXPECT_NE(sink_.lines().find("5800 more within 60 s from other addresses"), std::string::npos);
}

TEST_F(RejectionLogTest, refusals_of_clients_are_bounded_too) {
    refuse("127.0.0.1", false, 10'100);
    EXPECT_EQ(events(), RejectionLog::kClientEvents);
    log_.close();
    EXPECT_EQ(events(), RejectionLog::kClientEvents + 1);
    EXPECT_NE(sink_.lines().find("100 more within 60 s"), std::string::npos);
}

}  // namespace
}  // namespace relay
