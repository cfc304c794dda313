// When the relay tries again: schedules of destinations, what greylisting needs (RFC 6647 section
// 5), and sites that are away: one timer each, however much waits.
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/sim_town.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

MxOptions always_later(std::map<std::string, std::vector<core::Instant>>& attempts) {
    MxOptions options;
    options.script = [&attempts](const Moment& moment) {
        if (moment.stage != Stage::rcpt) return Verdict{};
        attempts[std::string(moment.argument)].push_back(moment.now);
        return Verdict{.reply = "450 4.2.1 not now, dear friend"};
    };
    return options;
}

TEST(RelayRetry, a_destination_may_have_a_schedule_and_an_age_of_its_own) {
    std::map<std::string, std::vector<core::Instant>> attempts;
    Town town({.intervals = {minutes{20}},
               .max_age = hours{10},
               .shaping =
                   "[\"own.example\"]\nretry_intervals = [\"5m\", \"30m\"]\nmax_age = \"2h\"\n"
                   "[\"age.example\"]\nmax_age = \"1h\"\n"});
    for (const char* domain : {"own.example", "age.example", "one.example"})
        town.zone.add_mx(domain, 10, "mx1.example");
    town.add_server(1, always_later(attempts));
    town.inject(1, "own.example");
    town.inject(1, "age.example");
    town.inject(1, "one.example");
    EXPECT_TRUE(town.relay.run_until_drained(hours{11}));
    town.expect_clean();
    const auto& own = attempts["u1@own.example"];
    ASSERT_EQ(own.size(), 5U);  // 0, 5, 35, 65, 95 minutes; the next would be past two hours
    EXPECT_NEAR(std::chrono::duration<double>(own[1] - own[0]).count(), 300, 31);
    EXPECT_NEAR(std::chrono::duration<double>(own[2] - own[1]).count(), 1800, 181);
    EXPECT_EQ(attempts["u2@age.example"].size(), 3U);
    EXPECT_GE(attempts["u3@one.example"].size(), 28U);
    for (const char* who : {"u1@own.example", "u2@age.example", "u3@one.example"}) {
        const Recorded last = town.relay.events_of(who).back();
        EXPECT_EQ(last.type, "Expiration");
        EXPECT_NE(last.line.find("not now, dear friend"), std::string::npos) << last.line;
    }
}

// Whoever injects may want an end that comes sooner; later than its schedule says it never is.
TEST(RelayRetry, a_message_may_have_an_end_of_its_own) {
    std::map<std::string, std::vector<core::Instant>> attempts;
    core::Duration age{};
    Town town({.intervals = {minutes{20}},
               .max_age = hours{5},
               .prepare = [&age](relay::Message& message) {
                   if (age > core::Duration{}) message.set_expires(message.created + age);
               }});
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1, always_later(attempts));
    for (const auto wanted : {hours{1}, hours{9}, hours{0}}) {
        age = wanted;
        town.inject(1);
        town.world.run_for(minutes{1});
    }
    EXPECT_TRUE(town.relay.run_until_drained(hours{6}));
    town.expect_clean();
    const auto& first = attempts["u1@one.example"];
    ASSERT_GE(first.size(), 3U);  // 0, 20 and 40 minutes, and perhaps a bit less than 60
    EXPECT_LE(first.back() - first.front(), hours{1});
    for (const char* who : {"u2@one.example", "u3@one.example"})
        EXPECT_NEAR(static_cast<double>(attempts[who].size()), 15, 1);
    for (const char* who : {"u1@one.example", "u2@one.example", "u3@one.example"}) {
        const Recorded last = town.relay.events_of(who).back();
        EXPECT_EQ(last.type, "Expiration");
        EXPECT_NE(last.line.find("not now, dear friend"), std::string::npos) << last.line;
    }
}

// What waits for a connection expires too.
TEST(RelayRetry, a_message_that_is_throttled_ends_with_its_time) {
    Town town({.limits = {.connection_limit = 1, .max_message_rate = {1, hours{1}}},
               .prepare = [](relay::Message& message) {
                   message.set_expires(message.created + minutes{30});
               }});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1);
    town.inject(3);
    EXPECT_TRUE(town.relay.run_until_drained(hours{2}));
    town.expect_clean();
    EXPECT_EQ(server.ledger().size(), 1U);
    EXPECT_EQ(town.relay.count("Expiration"), 2U);
    for (const Recorded& one : town.relay.events()) {
        if (one.type == "Expiration") EXPECT_EQ(one.attempts, 0U) << one.line;
    }
}

// What ends while it waits for its turn says what the receiver had said before, not only that its
// time was over.
TEST(RelayRetry, what_expires_in_the_queue_quotes_the_last_reply) {
    std::map<std::string, std::vector<core::Instant>> attempts;
    Town town({.limits = {.connection_limit = 1, .max_message_rate = {1, hours{1}}},
               .intervals = {minutes{1}},
               .prepare = [](relay::Message& message) {
                   message.set_expires(message.created + minutes{90});
               }});
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1, always_later(attempts));
    town.inject(2);  // one an hour: both are tried once, and wait for their second turn
    EXPECT_TRUE(town.relay.run_until_drained(hours{3}));
    town.expect_clean();
    for (const char* who : {"u1@one.example", "u2@one.example"}) {
        EXPECT_EQ(attempts[who].size(), 1U) << who;
        const Recorded last = town.relay.events_of(who).back();
        EXPECT_EQ(last.type, "Expiration");
        EXPECT_NE(last.line.find("not now, dear friend"), std::string::npos) << last.line;
    }
}

// A greylist knows the client, the sender and the first recipient: all must be the same in the
// retry.
TEST(RelayRetry, a_retry_looks_like_the_first_try) {
    for (const bool verp : {false, true}) {
        struct Try {
            std::string mail;
            std::vector<std::string> recipients;
            bool operator==(const Try&) const = default;
        };
        std::vector<std::vector<Try>> rounds(1);
        MxOptions options;
        options.script = [&rounds](const Moment& moment) {
            if (moment.now > core::Instant{minutes{2}} && rounds.size() == 1) rounds.emplace_back();
            if (moment.stage == Stage::mail)
                rounds.back().push_back({std::string(moment.line), {}});
            if (moment.stage != Stage::rcpt) return Verdict{};
            rounds.back().back().recipients.emplace_back(moment.argument);
            return rounds.size() == 1 ? Verdict{.reply = "451 4.7.1 Greylisted, come back"}
                                      : Verdict{};
        };
        Town town({.limits = {.connection_limit = 1},
                   .intervals = {minutes{1}},
                   .prepare = [verp](relay::Message& message) { message.verp = verp; }});
        town.zone.add_mx("one.example", 10, "mx1.example");
        SimMx& server = town.add_server(1, options);
        for (int i = 0; i < 5; ++i) {
            std::vector<std::string> recipients;
            for (const char* name : {"zoe", "adam", "mia", "bob"})
                recipients.push_back(name + std::to_string(i) + "@one.example");
            town.relay.inject(0, recipients);
        }
        EXPECT_TRUE(town.relay.run_until_drained(hours{3}));
        town.expect_clean();
        ASSERT_EQ(rounds.size(), 2U);
        EXPECT_EQ(rounds[0].size(), verp ? 20U : 5U);
        const auto by_mail_and_first = [](const Try& a, const Try& b) {
            return std::tie(a.mail, a.recipients) < std::tie(b.mail, b.recipients);
        };
        for (auto& round : rounds)
            std::ranges::sort(round, by_mail_and_first);  // messages spread, each is as it was
        EXPECT_TRUE(rounds[0] == rounds[1]) << verp;
        std::set<std::string> clients;
        for (const Taken& taken : server.ledger())
            clients.insert(taken.client.ip.to_string());
        EXPECT_EQ(clients.size(), 1U);
        EXPECT_GE(server.content_times().front(), core::Instant{minutes{5}});
    }
}

// A thousand messages for a site that is away: as many connections as one message would cost.
TEST(RelayRetry, a_dead_site_is_one_timer_however_much_waits) {
    std::size_t openings[2] = {0, 0};
    for (const int messages : {1, 1000}) {
        Town town({.limits = {.max_message_rate = {100'000, seconds{1}}},
                   .intervals = {minutes{5}, minutes{20}}});
        town.zone.add_mx("one.example", 10, "mx1.example");
        SimMx& server = town.add_server(1);
        std::size_t& count = openings[messages == 1 ? 0 : 1];
        town.world.network().set_planner([&](const Opening&) {
            const bool away = town.world.elapsed() < hours{12};
            count += away ? 1U : 0U;
            return plan_of(away ? ConnectResult::black_hole : ConnectResult::accept);
        });
        town.inject(messages);
        EXPECT_TRUE(town.relay.run_until_drained(hours{13}));
        town.expect_clean();
        EXPECT_EQ(server.ledger().size(), static_cast<std::size_t>(messages));
    }
    EXPECT_GE(openings[0], 30U);  // every 20 minutes
    // Their times spread by the jitter, and each that comes when the pause is over asks once.
    EXPECT_LE(openings[1], 10U + 12U * 12U);
}

}  // namespace
}  // namespace sim
