// What the relay learns of servers needs evidence, decays, and is tried again: a connection that
// fails is no outage while others work, what a restart of the receiver shows is forgotten in
// minutes, and a server that is slow in whatever way holds a session for a bounded time.
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/sim_town.h"

namespace sim {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

relay::ShapingLimits wide(std::uint32_t connections) {
    return {.connection_limit = connections,
            .max_message_rate = {1'000'000, seconds{1}},
            .max_connection_rate = {1'000'000, seconds{1}}};
}

double in_seconds(core::Duration span) {
    return std::chrono::duration<double>(span).count();
}

// ---- Connections that fail while others work (C13)

struct Drained {
    double seconds = 0;
    std::size_t sessions = 0;
    std::size_t drops = 0;
};

// 4,000 messages over 40 connections, one in 25 of which are dropped at the end of a content.
Drained dropping(bool chunking, Verdict::Ending ending) {
    Drained run;
    MxOptions options{
        .chunking = chunking, .holds_replies = true, .content_delay = milliseconds{5}};
    std::size_t contents = 0;
    options.script = [&](const Moment& moment) -> Verdict {
        if (moment.stage != Stage::content || ++contents % 25 != 0) return {};
        ++run.drops;
        return {.ending = ending};
    };
    Town town({.limits = wide(40), .intervals = {seconds{1}}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1, options);
    town.inject(4000);
    EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
    town.expect_clean();
    EXPECT_EQ(server.ledger().size(), 4000U);
    run.seconds = in_seconds(server.content_times().back() - server.content_times().front());
    run.sessions = server.sessions();
    return run;
}

TEST(RelayEvidence, a_server_that_drops_connections_is_drained_by_chunks_as_fast_as_by_data) {
    for (const auto ending : {Verdict::Ending::drop, Verdict::Ending::reset}) {
        const Drained data = dropping(false, ending);
        const Drained chunks = dropping(true, ending);
        EXPECT_LE(chunks.seconds, 1.5 * data.seconds);
        EXPECT_LE(data.sessions, 40 + 2 * data.drops);
        EXPECT_LE(chunks.sessions, 40 + 2 * chunks.drops);
        EXPECT_LT(chunks.seconds, 10);
    }
}

// Two of five connections fail to open while others deliver: nothing is deferred for it.
TEST(RelayEvidence, connections_that_cannot_be_opened_defer_nothing_while_others_work) {
    for (const ConnectResult result : {ConnectResult::refuse, ConnectResult::unreachable}) {
        Town town({.limits = [] {
            relay::ShapingLimits limits = wide(10);
            limits.max_deliveries_per_connection = 10;
            return limits;
        }()});
        town.zone.add_mx("one.example", 10, "mx1.example");
        SimMx& server = town.add_server(1, {.content_delay = milliseconds{20}});
        town.world.network().set_planner([result](const Opening& opening) {
            return plan_of(opening.ordinal % 5 < 3 ? ConnectResult::accept : result);
        });
        town.inject(1000);
        EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
        town.expect_clean();
        EXPECT_EQ(server.ledger().size(), 1000U);
        EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
        town.world.network().set_planner({});
    }
}

// A receiver is away for five seconds in the middle of a campaign: that costs seconds. What was in
// flight goes again by the schedule, what waited waits.
TEST(RelayEvidence, a_restart_of_the_receiver_costs_seconds) {
    Town town({.limits = wide(4), .intervals = {seconds{2}}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1, {.content_delay = milliseconds{20}});
    const core::Instant down{seconds{5}};
    const core::Instant up{seconds{10}};
    const auto is_down = [&] {
        const core::Instant now = town.world.shard().now();
        return now >= down && now < up;
    };
    server.options().script = [&](const Moment&) -> Verdict {
        return {.ending = is_down() ? Verdict::Ending::drop : Verdict::Ending::none};
    };
    town.world.network().set_planner([&](const Opening&) {
        return plan_of(is_down() ? ConnectResult::refuse : ConnectResult::accept);
    });
    town.inject(4000);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    town.expect_clean();
    EXPECT_LE(town.relay.count("TransientFailure"), 8U);
    const double usual = 4000 * 0.024 / 4;
    EXPECT_LT(in_seconds(server.content_times().back() - core::Instant{}), usual + 5 + 8);
    server.options().script = {};
    town.world.network().set_planner({});
}

// ---- How many messages a session may have (U2)

TEST(RelayEvidence, sessions_that_a_restart_ends_after_the_same_number_teach_nothing) {
    Town town({.limits = wide(2)});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1, {.close_after = 5});
    town.inject(10);  // two sessions of five messages, and again two seconds later
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    town.world.run_for(seconds{2});
    town.inject(10);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    server.options().close_after = 0;
    const std::size_t before = server.sessions();
    town.inject(200);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    town.expect_clean();
    EXPECT_LE(server.sessions(), before + 2);
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
}

// It closes without a word after twenty messages: after some time we leave before it does. Ten
// minutes later one session tries more, and what was mended there is used.
TEST(RelayEvidence, how_many_messages_a_host_takes_is_learned_and_tried_again) {
    for (const bool pipelining : {true, false}) {
        std::map<std::uint64_t, std::size_t> mails;
        MxOptions options{.pipelining = pipelining, .close_after = 20};
        options.script = [&mails](const Moment& moment) {
            if (moment.stage == Stage::mail) ++mails[moment.session];
            return Verdict{};
        };
        Town town({.limits = {.connection_limit = 1, .max_deliveries_per_connection = 1000}});
        town.zone.add_mx("one.example", 10, "mx1.example");
        SimMx& server = town.add_server(1, options);
        const auto send = [&] {
            mails.clear();
            town.inject(60);
            EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
            town.expect_clean();
        };
        for (int i = 0; i < 3; ++i) {
            send();
            town.world.run_for(seconds{15});
        }
        EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
        server.options().close_after = 0;
        send();
        for (const auto& [session, count] : mails)
            EXPECT_EQ(count, 20U) << session << pipelining;
        town.world.run_for(minutes{10});
        send();
        EXPECT_EQ(mails.size(), 1U);  // the session that tried more carried them all
        send();
        EXPECT_EQ(mails.size(), 1U);
    }
}

// ---- Slow servers (M2)

// An octet every so often, so that no wait for the next one is long: each reply has one limit.
TEST(RelayEvidence, replies_that_drip_are_given_up_at_the_limit_of_the_whole_reply) {
    for (const Stage stage :
         {Stage::greeting, Stage::hello, Stage::mail, Stage::rcpt, Stage::data, Stage::content}) {
        MxOptions options;
        std::map<std::uint64_t, core::Instant> began;
        options.script = [&](const Moment& moment) -> Verdict {
            began.try_emplace(moment.session, moment.now);
            if (moment.stage != stage) return {};
            return {.reply = "250 " + std::string(3000, 'x'), .drip = seconds{50}};
        };
        Town town({.limits = {.connection_limit = 1}, .intervals = {hours{1}}});
        town.zone.add_mx("one.example", 10, "mx1.example");
        SimMx& server = town.add_server(1, options);
        town.inject(1);
        EXPECT_TRUE(town.world.run_until([&] { return town.relay.count("TransientFailure") > 0; },
                                         minutes{16}))
            << static_cast<int>(stage);
        town.world.run_for(seconds{10});
        EXPECT_EQ(town.world.network().connections_to(address_of(1)), 0U);
        server.options().script = {};
        EXPECT_TRUE(town.relay.run_until_drained(hours{3}));
        town.expect_clean();
    }
}

// Each reply comes just in time, for a hundred recipients: the transaction has a limit too.
TEST(RelayEvidence, a_transaction_of_many_slow_replies_is_given_up) {
    MxOptions options{.pipelining = false};
    options.script = [](const Moment& moment) -> Verdict {
        if (moment.stage != Stage::rcpt) return {};
        return {.delay = minutes{4} + seconds{50}};
    };
    Town town({.limits = {.connection_limit = 1}, .intervals = {hours{1}}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1, options);
    std::vector<std::string> recipients;
    for (int i = 0; i < 100; ++i)
        recipients.push_back("r" + std::to_string(i) + "@one.example");
    town.relay.inject(0, recipients);
    EXPECT_TRUE(town.world.run_until([&] { return town.relay.count("TransientFailure") == 100; },
                                     hours{1} + minutes{1}));
    server.options().script = {};
    EXPECT_TRUE(town.relay.run_until_drained(hours{3}));
    town.expect_clean();
}

// What is in flight expires too, before its content has left.
TEST(RelayEvidence, a_message_that_is_in_flight_expires) {
    MxOptions options{.pipelining = false};
    options.script = [](const Moment& moment) -> Verdict {
        if (moment.stage != Stage::rcpt) return {};
        return {.delay = minutes{4} + seconds{50}};
    };
    Town town({.limits = {.connection_limit = 1}, .max_age = minutes{3}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1, options);
    town.inject(1);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{4} + seconds{5}));
    EXPECT_EQ(town.relay.count("Expiration"), 1U);
}

// And so does what waits for a connection that is not made.
TEST(RelayEvidence, what_waits_for_a_slow_greeting_expires) {
    MxOptions options;
    options.script = [](const Moment& moment) -> Verdict {
        if (moment.stage != Stage::greeting) return {};
        return {.delay = minutes{4} + seconds{50}};
    };
    Town town({.limits = {.connection_limit = 1}, .max_age = minutes{2}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1, options);
    town.inject(3);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{4}));
    EXPECT_EQ(town.relay.count("Expiration"), 3U);
}

// ---- Servers that do not take EHLO (Q6)

TEST(RelayEvidence, a_refused_ehlo_is_followed_by_helo_on_a_new_connection) {
    const std::vector<Verdict> refusals{{.reply = "501 5.5.4 bad name"},
                                        {.reply = "503 5.5.1 bad sequence"},
                                        {.reply = "554 5.5.1 no"},
                                        {.ending = Verdict::Ending::drop},
                                        {.ending = Verdict::Ending::reset}};
    for (const Verdict& refusal : refusals) {
        std::size_t ehlos = 0;
        MxOptions options{.pipelining = false};
        options.script = [&](const Moment& moment) -> Verdict {
            if (moment.stage != Stage::hello || moment.line.starts_with("HELO")) return {};
            ++ehlos;
            return refusal;
        };
        Town town({.limits = {.connection_limit = 1, .max_deliveries_per_connection = 2}});
        town.zone.add_mx("one.example", 10, "mx1.example");
        SimMx& server = town.add_server(1, options);
        town.inject(20);
        EXPECT_TRUE(town.relay.run_until_drained(minutes{1})) << refusal.reply;
        town.expect_clean();
        EXPECT_EQ(ehlos, 1U);  // remembered
        EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
        server.options().script = {};  // mended: EHLO is tried again, by one session
        town.world.run_for(minutes{6});
        town.inject(2);
        EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
        town.expect_clean();
    }
}

TEST(RelayEvidence, a_host_that_refuses_helo_too_is_asked_once_each) {
    MxOptions options;
    options.script = [](const Moment& moment) -> Verdict {
        if (moment.stage == Stage::hello) return {.reply = "554 5.7.1 not you"};
        return {};
    };
    Town town({.limits = {.connection_limit = 1}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1, options);
    town.inject(5);
    town.world.run_for(minutes{5});
    EXPECT_EQ(server.sessions(), 2U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 5U);
}

// ---- What goes back, and what is large

// The envelope that was prefetched returns to the front, not to the end: the mail of one connection
// arrives in the order it was accepted in, whatever the server does between two messages.
TEST(RelayEvidence, what_a_connection_gives_back_keeps_its_turn) {
    Town town({.limits = wide(1)});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1, {.close_after = 3});
    town.inject(50);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    town.expect_clean();
    ASSERT_EQ(server.ledger().size(), 50U);
    for (std::size_t i = 0; i < 50; ++i) {
        EXPECT_EQ(server.ledger()[i].recipient, "u" + std::to_string(i + 1) + "@one.example");
    }
}

// H5: lines of dots to eight hosts without CHUNKING arrive as they were.
TEST(RelayEvidence, lines_of_dots_arrive_as_they_were) {
    Town town({.limits = wide(1)});
    std::vector<std::string> recipients;
    for (int i = 1; i <= 8; ++i) {
        const std::string number = std::to_string(i);
        town.zone.add_mx("d" + number + ".example", 10, "mx" + number + ".example");
        town.add_server(i);
        recipients.push_back("u@d" + number + ".example");
    }
    std::string content = "Subject: dots\r\n\r\n";
    for (int i = 0; i < 100'000; ++i)
        content += ".\r\n";
    town.relay.inject(0, recipients, content);
    EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
    town.expect_clean();
    for (const auto& server : town.servers)
        EXPECT_EQ(server->ledger().size(), 1U);
}

}  // namespace
}  // namespace sim
