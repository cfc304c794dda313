// Mail that needs what not every server offers (F07: SIZE, 8BITMIME, SMTPUTF8, DSN): to another
// host of the site first, and returned only when no host can take it; and servers that offer
// little.
#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include "relay/message/dsn_request.h"
#include "tests/sim/sim_town.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const std::string kLocal = "caf\xc3\xa9@one.example";

void eight_bit(relay::Message& message) {
    message.eight_bit = true;
}

struct Need {
    const char* name;
    MxOptions without;  // the server that cannot take it
    unsigned code;
    void (*prepare)(relay::Message&);
    const char* recipient;
    std::size_t size;
};

void PrintTo(const Need& need, std::ostream* out) {
    *out << need.name;
}

const Need kNeeds[] = {
    {"size", {.size_limit = 250}, 552, nullptr, "a@one.example", 2000},
    {"eight_bit", {.eight_bit = false}, 554, eight_bit, "a@one.example", 200},
    {"utf8_header",
     {.utf8 = false},
     554,

     [](relay::Message& message) { message.utf8 = true; },
     "a@one.example",
     200},
    {"utf8_address", {.utf8 = false}, 553, nullptr, kLocal.c_str(), 200},
};

class Extensions : public testing::TestWithParam<Need> {
  protected:
    RelayOptions options() const {
        RelayOptions chosen;
        if (GetParam().prepare != nullptr) chosen.prepare = GetParam().prepare;
        return chosen;
    }
    static MxOptions counting(MxOptions options, int& mails) {
        options.script = [&mails](const Moment& moment) {
            if (moment.stage == Stage::mail) ++mails;
            return Verdict{};
        };
        return options;
    }
    static void send(Town& town) { town.relay.inject(0, {GetParam().recipient}, GetParam().size); }
    // So many hosts of equal preference, all without it.
    void expect_each_is_asked_once(int hosts) {
        Town town(options());
        for (int host = 1; host <= hosts; ++host) {
            town.zone.add_mx("one.example", 10, "mx" + std::to_string(host) + ".example");
            town.add_server(host, GetParam().without);
        }
        send(town);
        EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
        town.expect_clean();
        EXPECT_EQ(town.relay.count("Bounce"), 1U);
        for (const auto& server : town.servers)
            EXPECT_EQ(server->sessions(), 1U);
    }
};

TEST_P(Extensions, are_not_needed_twice_by_a_site_of_one_host) {
    Town town(options());
    int mails = 0;
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1, counting(GetParam().without, mails));
    send(town);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    town.expect_clean();
    EXPECT_EQ(mails, 0);  // nothing was transferred
    const auto events = town.relay.events_of(GetParam().recipient);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[1].type, "Bounce");
    EXPECT_EQ(events[1].code, GetParam().code);
}

TEST_P(Extensions, another_host_of_the_site_may_offer_them) {
    Town town(options());
    int mails = 0;
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.zone.add_mx("one.example", 20, "mx2.example");
    town.zone.add_mx("one.example", 30, "mx3.example");
    town.add_server(1, counting(GetParam().without, mails));
    town.add_server(2, counting(GetParam().without, mails));
    SimMx& third = town.add_server(3);
    send(town);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    town.expect_clean();
    EXPECT_EQ(mails, 0);
    EXPECT_EQ(third.ledger().size(), 1U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
}

TEST_P(Extensions, no_host_that_offers_them_is_the_end) {
    expect_each_is_asked_once(3);
}

// Bug: of more than ten hosts one was always forgotten, and asked again until the mail expired.
TEST_P(Extensions, however_many_hosts_lack_them_each_is_asked_once) {
    expect_each_is_asked_once(14);
}

TEST_P(Extensions, a_host_that_is_away_may_offer_them_later) {
    Town town(options());
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.zone.add_mx("one.example", 20, "mx2.example");
    town.add_server(1, GetParam().without);
    SimMx& second = town.add_server(2);
    bool away = true;
    town.world.network().set_planner([&away](const Opening& opening) {
        return away && opening.server == address_of(2) ? plan_of(ConnectResult::refuse)
                                                       : LinkPlan{};
    });
    send(town);
    town.world.run_for(minutes{5});
    EXPECT_EQ(town.relay.count("TransientFailure"), 1U);
    away = false;
    EXPECT_TRUE(town.relay.run_until_drained(hours{2}));
    town.expect_clean();
    EXPECT_EQ(second.ledger().size(), 1U);
}

TEST_P(Extensions, a_path_of_one_connection_makes_detours_too) {
    RelayOptions chosen = options();
    chosen.limits.connection_limit = 1;
    Town town(std::move(chosen));
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.zone.add_mx("one.example", 20, "mx2.example");
    town.add_server(1, GetParam().without);
    SimMx& second = town.add_server(2);
    send(town);
    town.world.run_for(seconds{20});
    EXPECT_EQ(second.ledger().size(), 1U);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    town.expect_clean();
}

INSTANTIATE_TEST_SUITE_P(Relay, Extensions, testing::ValuesIn(kNeeds),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(RelayExtensions, one_recipient_that_cannot_be_named_does_not_fail_the_others) {
    Town town;
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& mx = town.add_server(1, {.utf8 = false});
    town.relay.inject(0, {"a@one.example", kLocal, "b@one.example"});
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    town.expect_clean();
    EXPECT_EQ(mx.ledger().size(), 2U);
    EXPECT_EQ(mx.transactions(), 1U);
    EXPECT_EQ(town.relay.events_of(kLocal).back().type, "Bounce");
}

// U-labels are looked up, and told to a server without SMTPUTF8, as A-labels.
TEST(RelayExtensions, a_domain_in_utf8_is_one_in_a_labels) {
    Town town;
    town.zone.add_mx("xn--bcher-kva.example", 10, "mx1.example");
    SimMx& mx = town.add_server(1, {.utf8 = false});
    town.relay.inject(0, {"a@B\xc3\xbc"
                          "cher.example"});
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    ASSERT_EQ(mx.ledger().size(), 1U);
    EXPECT_EQ(mx.ledger()[0].recipient, "a@xn--bcher-kva.example");
    EXPECT_TRUE(mx.violations().empty());
    EXPECT_EQ(town.relay
                  .events_of("a@B\xc3\xbc"
                             "cher.example")
                  .back()
                  .type,
              "Delivery");
}

TEST(RelayExtensions, a_domain_that_has_no_form_in_dns_is_returned) {
    Town town;
    town.relay.inject(0, {"a@\xe2\x80\x8b.example"});
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    const auto events = town.relay.events();
    EXPECT_EQ(events.back().type, "Bounce");
    EXPECT_EQ(events.back().code, 550U);
}

// CHUNKING without PIPELINING: BDAT command by command.
TEST(RelayExtensions, chunking_is_all_that_is_offered) {
    Town town;
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& mx = town.add_server(
        1, {.pipelining = false, .chunking = true, .eight_bit = false, .utf8 = false});
    town.inject(20);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    town.expect_clean();
    for (const Taken& taken : mx.ledger())
        EXPECT_TRUE(taken.by_chunk);
}

TEST(RelayExtensions, a_server_that_knows_helo_only_hears_no_parameters) {
    Town town({.prepare = [](relay::Message& message) {
        message.set_dsn({relay::ReturnContent::headers, "id"});
        message.recipients[0]->notify = relay::Notify(relay::Notify::kSuccess);
    }});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& mx = town.add_server(1, {.pipelining = false, .esmtp = false});
    town.inject(20);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    town.expect_clean();
    EXPECT_EQ(mx.ledger().size(), 20U);
    EXPECT_TRUE(mx.violations().empty());
}

}  // namespace
}  // namespace sim
