// How much the relay says at once, as a destination's table wants it (docs/decisions/0003): in
// round trips a message, and with a server that loses track of what comes after a final dot.
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/sim_town.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::string table(const std::string& option) {
    return option.empty() ? "" : "[\"one.example\"]\n" + option + "\n";
}

// On one connection, whose round trip is 100 ms, with mail enough.
double round_trips_per_message(const std::string& option, std::size_t& groups) {
    Town town({.limits = {.connection_limit = 1, .max_message_rate = {100'000, seconds{1}}},
               .shaping = table(option)});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1);
    town.world.network().set_planner([](const Opening&) {
        LinkPlan plan;
        plan.latency_min = plan.latency_max = milliseconds{50};
        return plan;
    });
    town.inject(50);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{5}));
    town.expect_clean();
    EXPECT_EQ(server.ledger().size(), 50U);
    EXPECT_EQ(server.sessions(), 1U);
    groups = server.pipelined_groups();
    const auto& times = server.content_times();
    return std::chrono::duration<double>(times.back() - times.front()).count() / 0.1 / 49;
}

TEST(RelayPipelining, a_table_says_how_much_goes_at_once) {
    std::size_t groups = 0;
    EXPECT_NEAR(round_trips_per_message("", groups), 1, 0.1);
    EXPECT_GE(groups, 49U);
    EXPECT_NEAR(round_trips_per_message("pipeline_next = \"auto\"", groups), 1, 0.1);
    EXPECT_NEAR(round_trips_per_message("pipeline_next = \"on\"", groups), 1, 0.1);
    EXPECT_GE(groups, 49U);
    // MAIL waits for the reply to the dot.
    EXPECT_NEAR(round_trips_per_message("pipeline_next = \"off\"", groups), 2, 0.1);
    EXPECT_EQ(groups, 0U);
    // And MAIL, RCPT, DATA and content each for the one before.
    EXPECT_NEAR(round_trips_per_message("enable_pipelining = false", groups), 4, 0.1);
    EXPECT_EQ(groups, 0U);
    EXPECT_NEAR(
        round_trips_per_message("enable_pipelining = false\npipeline_next = \"on\"", groups), 4,
        0.1);
    EXPECT_EQ(groups, 0U);
}

struct Confusion {
    std::size_t first = 0;   // groups that the server lost track of, of the first mail
    std::size_t second = 0;  // and of mail an hour later
};

// It answers 503 to what follows a final dot. No mail suffers, in whatever mode.
Confusion confused(const std::string& option) {
    Town town({.limits = {.connection_limit = 1, .max_deliveries_per_connection = 10},
               .shaping = table(option)});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server =
        town.add_server(1, {.forgets_group_behind_dot = true, .content_delay = milliseconds{20}});
    Confusion seen;
    for (std::size_t* groups : {&seen.first, &seen.second}) {
        const std::size_t before = server.pipelined_groups();
        town.inject(50);
        EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
        *groups = server.pipelined_groups() - before;
        town.world.run_for(minutes{50});  // the path is remembered for an hour
    }
    town.expect_clean();
    EXPECT_EQ(server.ledger().size(), 100U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U) << option;
    for (const Recorded& one : town.relay.events()) {
        if (one.type == "Delivery") EXPECT_EQ(one.attempts, 1U) << one.line;
    }
    return seen;
}

TEST(RelayPipelining, auto_falls_back_and_remembers_it) {
    for (const char* option : {"", "pipeline_next = \"auto\""}) {
        const Confusion seen = confused(option);
        EXPECT_EQ(seen.first, 1U);
        EXPECT_EQ(seen.second, 1U);  // one session tried again
    }
}

TEST(RelayPipelining, on_tries_again_with_each_connection) {
    const Confusion seen = confused("pipeline_next = \"on\"");
    EXPECT_EQ(seen.first, 5U);  // one a session, of ten messages
    EXPECT_EQ(seen.second, 5U);
}

TEST(RelayPipelining, off_never_puts_an_envelope_after_a_dot) {
    for (const char* option : {"pipeline_next = \"off\"", "enable_pipelining = false"}) {
        const Confusion seen = confused(option);
        EXPECT_EQ(seen.first, 0U);
        EXPECT_EQ(seen.second, 0U);
    }
}

}  // namespace
}  // namespace sim
