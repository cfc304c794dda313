// What the relay learns about hosts, and what it does with several of them: a dead host costs one
// timeout and not one for each message or site (RFC 5321 section 4.5.4.1), families of addresses
// stand in for each other, and what a host says or shows of its limits is kept to (RFC 9422).
#include <map>
#include <set>
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

const core::IpAddress kV6 = *core::IpAddress::parse("2001:db8::1");

// Attempts to connect, by server. The town may go on for a moment when it is gone.
struct Openings {
    explicit Openings(Town& town, std::function<ConnectResult(const Opening&)> result)
        : network(town.world.network()) {
        town.world.network().set_planner([this, &town, result](const Opening& opening) {
            times[opening.server].push_back(town.world.shard().now());
            return plan_of(result(opening));
        });
    }
    ~Openings() { network.set_planner({}); }
    Openings(const Openings&) = delete;
    Openings& operator=(const Openings&) = delete;

    struct Less {
        bool operator()(const core::SocketAddress& a, const core::SocketAddress& b) const {
            return a.to_string() < b.to_string();
        }
    };
    SimNetwork& network;
    std::map<core::SocketAddress, std::vector<core::Instant>, Less> times;
};

MxOptions greets_with(const std::string& reply) {
    MxOptions options;
    options.script = [reply](const Moment& moment) {
        return moment.stage == Stage::greeting ? Verdict{.reply = reply} : Verdict{};
    };
    return options;
}

// ---- Hosts that do not answer

// One of two equal hosts is a black hole: it is found out once, and then the other one takes all,
// as fast as if there were no other.
TEST(RelayHosts, a_dead_host_among_two_costs_one_timeout) {
    Town town({.limits = {.max_deliveries_per_connection = 10,
                          .max_message_rate = {100'000, seconds{1}},
                          .max_connection_rate = {100'000, seconds{1}}}});
    for (const char* host : {"mx1.example", "mx2.example"})
        town.zone.add_mx("one.example", 10, host);
    town.add_server(1);
    SimMx& second = town.add_server(2);
    Openings openings(town, [](const Opening& opening) {
        return opening.server == address_of(1) ? ConnectResult::black_hole : ConnectResult::accept;
    });
    town.inject(200);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    const std::size_t first = openings.times[address_of(1)].size();
    EXPECT_LE(first, 10U);  // connection_limit: all at once, before anybody knew
    // Known by now: a thousand messages, a hundred connections, in seconds.
    town.world.run_for(seconds{31});
    const core::Instant begin = town.world.shard().now();
    town.inject(1000);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    town.expect_clean();
    EXPECT_EQ(second.ledger().size(), 1200U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
    const auto asked_again = openings.times[address_of(1)].size() - first;
    EXPECT_LE(asked_again, 1U);
    EXPECT_LT(second.content_times().back() - begin, seconds{5} + seconds{30} * asked_again);
}

// A hundred sites on one dead host: whoever asks, asks for everybody, and nobody waits for a
// timeout of his own.
TEST(RelayHosts, sites_that_share_a_dead_host_share_the_knowledge) {
    Town town;
    for (int i = 0; i < 100; ++i) {
        const std::string domain = "d" + std::to_string(i) + ".example";
        town.zone.add_mx(domain, 10, "mx1.example");
        town.zone.add_mx(domain, 20, "gone" + std::to_string(i) + ".example");  // sites that differ
    }
    SimMx& server = town.add_server(1);
    Openings openings(town, [&town](const Opening&) {
        return town.world.elapsed() < hours{6} ? ConnectResult::black_hole : ConnectResult::accept;
    });
    town.inject(1, "d0.example");
    town.world.run_for(minutes{1});
    for (int i = 1; i < 100; ++i)
        town.inject(10, "d" + std::to_string(i) + ".example");
    EXPECT_TRUE(town.relay.run_until_drained(days{1}));
    town.expect_clean();
    EXPECT_EQ(server.ledger().size(), 991U);
    std::size_t while_dead = 0;
    for (const core::Instant when : openings.times[address_of(1)])
        while_dead += when < core::Instant{hours{6}} ? 1U : 0U;
    EXPECT_LE(while_dead, 6U * 12U + 10U);  // one each five minutes, whoever asks
    EXPECT_LT(town.world.elapsed(), hours{8});
}

// A cap on connections is no reason to stay away from a host that works.
TEST(RelayHosts, a_host_with_a_cap_on_connections_is_used_to_the_full) {
    Town town({.limits = {.max_deliveries_per_connection = 20,
                          .max_connection_rate = {100'000, seconds{1}}}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1, {.content_delay = milliseconds{100}, .connection_cap = 3});
    town.inject(600);
    EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
    town.expect_clean();
    // 600 messages, 3 at a time, 0.1 s and a round trip each.
    EXPECT_LT(server.content_times().back(), core::Instant{seconds{35}});
    EXPECT_LT(server.sessions(), 100U);
}

TEST(RelayHosts, of_many_addresses_so_many_are_tried) {
    Town town;
    town.zone.add_mx("one.example", 10, "many.example");
    town.zone.add_mx("one.example", 20, "more.example");
    town.zone.add_mx("one.example", 30, "most.example");
    for (int i = 50; i < 70; ++i) {
        town.zone.add_address("many.example", address_of(i).ip);
        town.zone.add_address("more.example", address_of(i + 50).ip);
        town.zone.add_address("most.example", address_of(i + 100).ip);
    }
    Openings openings(town, [](const Opening&) { return ConnectResult::refuse; });
    town.inject(1);
    town.world.run_for(minutes{1});
    EXPECT_EQ(town.relay.count("TransientFailure"), 1U);
    std::map<char, std::size_t> hosts;
    std::size_t tried = 0;
    for (const auto& [server, times] : openings.times) {
        EXPECT_EQ(times.size(), 1U) << server.to_string();
        ++tried;
    }
    EXPECT_EQ(tried, 10U);
    for (int i = 100; i < 105; ++i)  // the second host has its turn: five each
        EXPECT_TRUE(openings.times.contains(address_of(i))) << i;
}

// ---- Families (RFC 5321 section 5.2)

TEST(RelayHosts, a_network_without_ipv6_costs_nothing) {
    Town town({.limits = {.ip_lookup = relay::IpLookup::v6_and_v4}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1);
    town.zone.add_address("mx1.example", kV6);
    Openings openings(town, [](const Opening& opening) {
        return opening.server.ip == kV6 ? ConnectResult::no_route : ConnectResult::accept;
    });
    town.inject(20);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    town.expect_clean();
    EXPECT_EQ(server.ledger().size(), 20U);
    EXPECT_EQ(openings.times.count({kV6, 25}), 1U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
}

// Bug: mail was sent home as "unreachable" for a family that this machine does not speak, while the
// host only rested for a moment.
TEST(RelayHosts, a_family_without_a_route_hides_no_host_that_rests) {
    Town town({.shaping = "[\"two.example\"]\nconnection_limit = 5\n"});  // a path of its own
    for (const char* domain : {"one.example", "two.example"})
        town.zone.add_mx(domain, 10, "mx1.example");
    bool busy = true;
    SimMx& server = town.add_server(1, {.script = [&busy](const Moment& moment) {
                                        return moment.stage == Stage::greeting && busy
                                                   ? Verdict{.reply = "421 4.3.2 busy"}
                                                   : Verdict{};
                                    }});
    town.zone.add_address("mx1.example", kV6);
    Openings openings(town, [](const Opening& opening) {
        return opening.server.ip == kV6 ? ConnectResult::no_route : ConnectResult::accept;
    });
    town.inject(1, "one.example");
    town.world.run_for(seconds{1});
    busy = false;
    const std::size_t before = town.relay.count("TransientFailure");
    town.inject(5, "two.example");
    EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
    town.expect_clean();
    EXPECT_EQ(town.relay.count("TransientFailure"), before);
    EXPECT_EQ(server.ledger().size(), 6U);
}

TEST(RelayHosts, a_family_that_fails_makes_room_for_the_other) {
    for (const ConnectResult result : {ConnectResult::refuse, ConnectResult::black_hole}) {
        Town town({.limits = {.ip_lookup = relay::IpLookup::v6_and_v4}});
        town.zone.add_mx("one.example", 10, "mx1.example");
        SimMx& server = town.add_server(1);
        town.zone.add_address("mx1.example", kV6);
        Openings openings(town, [result](const Opening& opening) {
            return opening.server.ip == kV6 ? result : ConnectResult::accept;
        });
        town.inject(5);
        EXPECT_TRUE(town.relay.run_until_drained(minutes{2}));
        town.expect_clean();
        EXPECT_EQ(server.ledger().size(), 5U);
        EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
    }
}

TEST(RelayHosts, a_table_may_want_one_family_only) {
    Town town({.shaping = "[\"four.example\"]\nip_lookup_strategy = \"Ipv4Only\"\n"
                          "[\"six.example\"]\nip_lookup_strategy = \"Ipv6Only\"\n"});
    for (const char* domain : {"four.example", "six.example"})
        town.zone.add_mx(domain, 10, "mx1.example");
    town.add_server(1);
    town.zone.add_address("mx1.example", kV6);
    Openings openings(town, [](const Opening& opening) {
        return opening.server.ip == kV6 ? ConnectResult::refuse : ConnectResult::accept;
    });
    town.inject(1, "four.example");
    town.world.run_for(minutes{1});
    EXPECT_EQ(town.relay.count("Delivery"), 1U);
    EXPECT_FALSE(openings.times.contains({kV6, 25}));
    town.inject(1, "six.example");
    town.world.run_for(minutes{1});
    EXPECT_EQ(openings.times[address_of(1)].size(), 1U);
    EXPECT_TRUE(openings.times.contains({kV6, 25}));
    EXPECT_EQ(town.relay.count("TransientFailure"), 1U);
}

// A host with an address of each family, which takes mail over one of them, or none.
struct TwoFamilies {
    TwoFamilies(const std::string& v6_says, const std::string& v4_says, RelayOptions options = {})
        : town([&] {
              options.limits.ip_lookup = relay::IpLookup::v6_and_v4;
              return std::move(options);
          }()) {
        const auto says = [](const std::string& reply) {
            MxOptions made;
            if (reply.empty()) return made;
            made.script = [reply](const Moment& moment) {
                return moment.stage == Stage::mail ? Verdict{.reply = reply} : Verdict{};
            };
            return made;
        };
        town.zone.add_mx("one.example", 10, "mx1.example");
        v4 = &town.add_server(1, says(v4_says));
        MxOptions six = says(v6_says);
        six.name = "mx1.example";
        town.zone.add_address("mx1.example", kV6);
        town.servers.push_back(
            std::make_unique<SimMx>(town.world, core::SocketAddress{kV6, 25}, six));
        v6 = town.servers.back().get();
        v6->start();
    }
    Town town;
    SimMx* v4 = nullptr;
    SimMx* v6 = nullptr;
};

// Reverse DNS, SPF and reputation are those of an address: what one family is refused for may not
// hold for the other.
TEST(RelayHosts, mail_that_policy_refuses_over_one_family_goes_over_the_other) {
    TwoFamilies scene("550 5.7.25 no reverse DNS for your IPv6 address", "");
    scene.town.inject(20);
    EXPECT_TRUE(scene.town.relay.run_until_drained(minutes{5}));
    scene.town.expect_clean();
    EXPECT_EQ(scene.v4->ledger().size(), 20U);
    EXPECT_GT(scene.v6->sessions(), 0U);
    EXPECT_EQ(scene.town.relay.count("Bounce"), 0U);
    EXPECT_EQ(scene.town.relay.count("TransientFailure"), 0U);
}

TEST(RelayHosts, what_both_families_refuse_is_final_and_the_second_is_not_asked_each_time) {
    TwoFamilies scene("554 5.7.1 not you", "554 5.7.1 nor over this");
    scene.town.inject(20);
    EXPECT_TRUE(scene.town.relay.run_until_drained(minutes{5}));
    EXPECT_EQ(scene.town.relay.count("Bounce"), 20U);
    EXPECT_EQ(scene.v4->sessions(), 1U);
    scene.town.inject(20);
    EXPECT_TRUE(scene.town.relay.run_until_drained(minutes{5}));
    EXPECT_EQ(scene.town.relay.count("Bounce"), 40U);
    EXPECT_EQ(scene.v4->sessions(), 1U);
    scene.town.world.run_for(minutes{11});  // asked again once it may have changed
    scene.v4->options().script = {};
    scene.town.inject(5);
    EXPECT_TRUE(scene.town.relay.run_until_drained(minutes{5}));
    scene.town.expect_clean();
    EXPECT_EQ(scene.v4->ledger().size(), 5U);
}

// What the other family says counts, also when that is "not now"; and without one the refusal
// stands.
TEST(RelayHosts, the_other_familys_word_counts_and_its_absence_defers_nothing) {
    {
        TwoFamilies scene("550 5.7.1 not you", "451 4.7.1 try later");
        scene.town.inject(1);
        scene.town.world.run_for(minutes{1});
        EXPECT_EQ(scene.town.relay.count("Bounce"), 0U);
        EXPECT_EQ(scene.town.relay.count("TransientFailure"), 1U);
    }
    for (const ConnectResult result : {ConnectResult::no_route, ConnectResult::refuse}) {
        TwoFamilies scene("550 5.7.1 not you", "");
        Openings openings(scene.town, [result](const Opening& opening) {
            return opening.server.ip == kV6 ? ConnectResult::accept : result;
        });
        scene.town.inject(5);
        EXPECT_TRUE(scene.town.relay.run_until_drained(minutes{5}));
        scene.town.expect_clean();
        EXPECT_EQ(scene.town.relay.count("Bounce"), 5U);
        EXPECT_EQ(scene.town.relay.count("TransientFailure"), 0U);
    }
    Town town;
    town.zone.add_mx("one.example", 10, "mx1.example");
    MxOptions rude;
    rude.script = [](const Moment& moment) {
        return moment.stage == Stage::mail ? Verdict{.reply = "550 5.7.1 not you"} : Verdict{};
    };
    SimMx& only = town.add_server(1, rude);
    town.inject(5);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    town.expect_clean();
    EXPECT_EQ(town.relay.count("Bounce"), 5U);
    EXPECT_EQ(only.sessions(), 1U);
}

TEST(RelayHosts, only_policy_is_a_matter_of_families) {
    for (const char* reply : {"550 5.1.8 bad sender", "552 5.3.4 too big", "550 no"}) {
        TwoFamilies scene(reply, "");
        scene.town.inject(5);
        EXPECT_TRUE(scene.town.relay.run_until_drained(minutes{5}));
        scene.town.expect_clean();
        EXPECT_EQ(scene.town.relay.count("Bounce"), 5U) << reply;
        EXPECT_EQ(scene.v4->sessions(), 0U) << reply;
    }
    TwoFamilies scene("550 5.7.1 not you", "",
                      {.shaping = "[\"one.example\"]\nip_lookup_strategy = \"Ipv6Only\"\n"});
    scene.town.inject(5);
    EXPECT_TRUE(scene.town.relay.run_until_drained(minutes{5}));
    EXPECT_EQ(scene.town.relay.count("Bounce"), 5U);
    EXPECT_EQ(scene.v4->sessions(), 0U);
}

// ---- Ourselves, and where nothing may go (RFC 5321 section 5.1)

TEST(RelayHosts, our_own_name_or_address_drops_its_preference_and_all_worse) {
    for (const bool by_name : {true, false}) {
        dns::RoutingRules rules;
        if (by_name) rules.own_names = {"MX2.example."};
        if (!by_name) rules.own_addresses = {address_of(2).ip};
        Town town({.rules = rules});
        town.zone.add_mx("one.example", 10, "mx1.example");
        town.zone.add_mx("one.example", 20, "mx2.example");
        town.zone.add_mx("one.example", 30, "mx3.example");
        town.zone.add_mx("loop.example", 10, "mx2.example");
        town.zone.add_mx("loop.example", 20, "mx1.example");
        SimMx& first = town.add_server(1);
        SimMx& ours = town.add_server(2);
        SimMx& worse = town.add_server(3);
        Openings openings(town, [](const Opening& opening) {
            return opening.server == address_of(1) ? ConnectResult::refuse : ConnectResult::accept;
        });
        town.inject(3);
        town.inject(1, "loop.example");
        town.world.run_for(minutes{10});
        EXPECT_EQ(town.relay.count("TransientFailure"), 3U) << by_name;
        EXPECT_EQ(town.relay.count("Bounce"), 1U);
        const auto loop = town.relay.events_of("u4@loop.example");
        ASSERT_FALSE(loop.empty());
        EXPECT_EQ(loop.back().code, 554U);
        EXPECT_NE(loop.back().line.find(R"("class":5,"subject":4,"detail":6)"), std::string::npos);
        EXPECT_EQ(first.sessions() + ours.sessions() + worse.sessions(), 0U);
    }
}

TEST(RelayHosts, a_prohibited_host_is_passed_over_or_bounces) {
    dns::RoutingRules rules;
    rules.prohibited = {*core::IpNetwork::parse("198.51.100.2/32")};
    Town town({.rules = rules});
    town.zone.add_mx("one.example", 10, "mx2.example");
    town.zone.add_mx("one.example", 20, "mx1.example");
    town.zone.add_mx("none.example", 10, "mx2.example");
    SimMx& allowed = town.add_server(1);
    SimMx& prohibited = town.add_server(2);
    town.inject(3);
    town.inject(1, "none.example");
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    town.expect_clean();
    EXPECT_EQ(allowed.ledger().size(), 3U);
    EXPECT_EQ(prohibited.sessions(), 0U);
    EXPECT_EQ(town.relay.events_of("u4@none.example").back().code, 550U);
}

// ---- Hosts that refuse to talk

TEST(RelayHosts, a_table_may_bounce_upon_554_in_a_greeting) {
    Town town({.shaping = "[\"one.example\"]\nbounce_upon_5xx_greeting = true\n"});
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.zone.add_mx("two.example", 10, "mx1.example");
    town.zone.add_mx("one.example", 20, "mx2.example");
    town.add_server(1, greets_with("554 5.7.1 not you"));
    town.add_server(2, greets_with("554 5.7.1 nor here"));
    town.inject(3);
    town.inject(1, "two.example");
    town.world.run_for(minutes{1});
    EXPECT_EQ(town.relay.count("Bounce"), 3U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 1U);
    EXPECT_EQ(town.servers[1]->sessions(), 1U);  // asked before anything was returned
}

TEST(RelayHosts, what_follows_421_in_a_greeting_is_the_tables_choice) {
    const std::map<std::string, std::pair<bool, bool>> asked{{"ConnectNextHost", {true, true}},
                                                             {"ReconnectSameHost", {true, false}},
                                                             {"TerminateSession", {false, false}}};
    for (const auto& [strategy, expected] : asked) {
        Town town({.shaping = "[\"one.example\"]\nreconnect_strategy = \"" + strategy + "\"\n"});
        town.zone.add_mx("one.example", 10, "mx1.example");
        town.zone.add_mx("one.example", 20, "mx2.example");
        town.add_server(1, greets_with("421 4.7.0 busy"));
        town.zone.add_address("mx1.example", address_of(9).ip);  // nobody is there
        town.add_server(2);
        Openings openings(town, [](const Opening&) { return ConnectResult::accept; });
        town.inject(1);
        town.world.run_for(minutes{1});
        EXPECT_EQ(openings.times.contains(address_of(9)), expected.first) << strategy;
        EXPECT_EQ(openings.times.contains(address_of(2)), expected.second) << strategy;
        EXPECT_EQ(town.relay.count("Delivery"), expected.second ? 1U : 0U) << strategy;
    }
}

// ---- Habits of hosts

// A host that closes idle connections says nothing about how many messages it takes.
TEST(RelayHosts, closing_an_idle_connection_teaches_nothing) {
    Town town({.limits = {.connection_limit = 1}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1, {.idle_close = seconds{5}});
    for (int i = 0; i < 5; ++i) {
        town.inject(1);
        town.world.run_for(minutes{5});
    }
    const std::size_t before = server.sessions();
    town.inject(50);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    town.expect_clean();
    EXPECT_EQ(server.sessions(), before + 1);
}

// LIMITS (RFC 9422).
TEST(RelayHosts, limits_that_a_host_states_are_kept) {
    std::map<std::uint64_t, std::size_t> mails;
    std::map<std::uint64_t, std::set<std::string>> domains;
    std::size_t most_recipients = 0;
    MxOptions options{.offers = {"LIMITS MAILMAX=5 RCPTMAX=3 RCPTDOMAINMAX=2 OTHER=x"}};
    options.script = [&](const Moment& moment) {
        if (moment.stage == Stage::mail) ++mails[moment.session];
        if (moment.stage == Stage::rcpt) {
            const std::string domain(moment.argument.substr(moment.argument.find('@')));
            domains[moment.session].insert(domain);
            most_recipients = std::max(most_recipients, moment.recipients + 1);
        }
        return Verdict{};
    };
    Town town({.limits = {.connection_limit = 2, .max_connection_rate = {1000, seconds{1}}}});
    for (int i = 0; i < 4; ++i)
        town.zone.add_mx("d" + std::to_string(i) + ".example", 10, "mx1.example");
    town.add_server(1, options);
    for (int i = 0; i < 40; ++i) {
        std::vector<std::string> recipients;
        for (int j = 0; j < 7; ++j) {
            recipients.push_back("u" + std::to_string(i) + "-" + std::to_string(j) + "@d" +
                                 std::to_string(i % 4) + ".example");
        }
        town.relay.inject(0, recipients);
    }
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    town.expect_clean();
    EXPECT_EQ(town.relay.count("Delivery"), 280U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
    EXPECT_EQ(most_recipients, 3U);
    for (const auto& [session, count] : mails)
        EXPECT_LE(count, 5U) << session;
    for (const auto& [session, names] : domains)
        EXPECT_LE(names.size(), 2U) << session;
}

class RefusesParameters : public testing::TestWithParam<std::string> {};

// It offers SIZE and DSN and refuses their parameters: once it is told without, and from then on.
TEST_P(RefusesParameters, they_are_left_out_for_that_host) {
    for (const bool pipelining : {true, false}) {
        for (const bool of_rcpt : {false, true}) {
            std::size_t refused = 0;
            MxOptions options{.pipelining = pipelining, .dsn = true, .size_limit = 1'000'000};
            options.script = [&](const Moment& moment) {
                const bool mail = moment.stage == Stage::mail && !of_rcpt;
                const bool rcpt = moment.stage == Stage::rcpt && of_rcpt;
                const bool extra =
                    moment.line.find(mail ? " SIZE=" : " NOTIFY=") != std::string_view::npos;
                if (!(mail || rcpt) || !extra) return Verdict{};
                ++refused;
                return Verdict{.reply = GetParam() + " parameter not implemented"};
            };
            Town town({.limits = {.connection_limit = 1, .max_deliveries_per_connection = 5},
                       .prepare = [](relay::Message& message) {
                           for (const auto& recipient : message.recipients)
                               recipient->notify = relay::Notify(relay::Notify::kFailure);
                       }});
            town.zone.add_mx("one.example", 10, "mx1.example");
            SimMx& server = town.add_server(1, options);
            town.inject(30);
            EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
            town.expect_clean();
            EXPECT_EQ(server.ledger().size(), 30U);
            EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
            EXPECT_LE(refused, 2U);  // two may be on their way
            EXPECT_GE(refused, 1U);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(RelayHosts, RefusesParameters, testing::Values("555", "455", "504"));

}  // namespace
}  // namespace sim
