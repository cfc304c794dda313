// Faults of receivers that have no better place: where they close, how their replies come, and what
// stands in the group after a final dot. Each recipient is accounted for, exactly.
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/sim_town.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

// How the server is spoken to: lock-step, groups, or chunks.
class Faults : public testing::TestWithParam<int> {
  protected:
    static MxOptions options() {
        MxOptions options;
        options.pipelining = GetParam() > 0;
        options.chunking = GetParam() > 1;
        return options;
    }
};

TEST_P(Faults, a_refused_mail_followed_by_a_close_bounces_that_message_alone) {
    MxOptions faulty = options();
    faulty.script = [](const Moment& moment) {
        const bool third = moment.stage == Stage::mail && moment.line.contains("SIZE=3");
        return third ? Verdict{.reply = "550 5.7.1 not this one", .ending = Verdict::Ending::close}
                     : Verdict{};
    };
    faulty.size_limit = 1'000'000;
    Town town({.limits = {.connection_limit = 1}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1, faulty);
    for (int i = 0; i < 6; ++i)  // the third has 300 octets and a few
        town.relay.inject(0, {"u" + std::to_string(i) + "@one.example"}, i == 2 ? 340 : 900);
    EXPECT_TRUE(town.relay.run_until_drained(hours{2}));
    town.expect_clean();
    EXPECT_EQ(server.ledger().size(), 5U);
    EXPECT_EQ(town.relay.count("Bounce"), 1U);
    EXPECT_EQ(town.relay.events_of("u2@one.example").back().code, 550U);
}

TEST_P(Faults, replies_of_one_octet_a_segment) {
    Town town({.limits = {.connection_limit = 2}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1, options());
    town.world.network().set_planner([](const Opening&) {
        LinkPlan plan;
        plan.largest_segment = 1;
        return plan;
    });
    town.inject(10);
    EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
    town.expect_clean();
    EXPECT_EQ(server.ledger().size(), 10U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
}

// 421 in place of the reply to the MAIL of every fourth message: what is after the dot before it
// is delivered, and nothing else is lost or counted.
TEST_P(Faults, a_421_after_so_many_messages_costs_no_attempt) {
    MxOptions faulty = options();
    faulty.script = [](const Moment& moment) {
        const bool enough = moment.stage == Stage::mail && moment.messages == 3;
        return enough ? Verdict{.reply = "421 4.7.0 enough", .ending = Verdict::Ending::close}
                      : Verdict{};
    };
    Town town({.limits = {.connection_limit = 2, .max_connection_rate = {1000, minutes{1}}}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1, faulty);
    town.inject(60);
    EXPECT_TRUE(town.relay.run_until_drained(hours{2}));
    town.expect_clean();
    EXPECT_EQ(server.ledger().size(), 60U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
    EXPECT_LE(server.sessions(), 24U);
}

// What each reply to a final dot means, while the group after it is refused in its own way.
TEST_P(Faults, a_reply_to_the_dot_and_another_to_the_group_after_it) {
    for (const char* dot : {"250 2.0.0 taken", "451 4.3.0 later", "554 5.7.1 spam"}) {
        for (const char* mail : {"", "450 4.7.1 not now", "550 5.7.1 never"}) {
            for (const char* rcpt : {"", "550 5.1.1 unknown"}) {
                MxOptions faulty = options();
                faulty.script = [=](const Moment& moment) {
                    const bool early = moment.now < core::Instant{minutes{5}};
                    if (moment.stage == Stage::content && early) return Verdict{.reply = dot};
                    const bool behind = moment.messages == 1 && early;
                    if (moment.stage == Stage::mail && behind) return Verdict{.reply = mail};
                    if (moment.stage == Stage::rcpt && behind) return Verdict{.reply = rcpt};
                    if (moment.stage == Stage::data && moment.recipients == 0) {
                        return Verdict{.reply = "354 go ahead all the same"};
                    }
                    return Verdict{};
                };
                Town town({.limits = {.connection_limit = 1}});
                town.zone.add_mx("one.example", 10, "mx1.example");
                town.add_server(1, faulty);
                town.inject(8);
                EXPECT_TRUE(town.relay.run_until_drained(hours{6})) << dot << mail << rcpt;
                for (const std::string& one : town.relay.audit({town.servers[0].get()}))
                    ADD_FAILURE() << dot << mail << rcpt << ": " << one;
                EXPECT_EQ(town.relay.count("Delivery") + town.relay.count("Bounce"), 8U);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Modes, Faults, testing::Values(0, 1, 2));

}  // namespace
}  // namespace sim
