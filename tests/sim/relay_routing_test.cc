// Where the relay sends mail, and how fast: MX preference and failure of hosts and of DNS over time
// (RFC 5321 section 5.1, RFC 7505), and the limits of a path as the servers see them.
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

// ---- Hosts

class FirstHostDown : public testing::TestWithParam<ConnectResult> {};

TEST_P(FirstHostDown, the_next_preference_takes_the_mail) {
    Town town;
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.zone.add_mx("one.example", 20, "mx2.example");
    town.add_server(1);
    SimMx& second = town.add_server(2);
    town.world.network().set_planner([](const Opening& opening) {
        return opening.server == address_of(1) ? plan_of(GetParam()) : LinkPlan{};
    });
    town.inject(20);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    town.expect_clean();
    EXPECT_EQ(second.ledger().size(), 20U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
}

INSTANTIATE_TEST_SUITE_P(RelayRouting, FirstHostDown,
                         testing::Values(ConnectResult::refuse, ConnectResult::black_hole,
                                         ConnectResult::unreachable));

TEST(RelayRouting, the_best_preference_gets_all_while_it_works) {
    Town town;
    town.zone.add_mx("one.example", 20, "mx2.example");
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& first = town.add_server(1);
    SimMx& second = town.add_server(2);
    town.inject(50);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    town.expect_clean();
    EXPECT_EQ(first.ledger().size(), 50U);
    EXPECT_EQ(second.sessions(), 0U);
}

TEST(RelayRouting, equal_preferences_share_the_connections) {
    Town town({.limits = {.connection_limit = 20}});
    for (int host = 1; host <= 4; ++host) {
        town.zone.add_mx("one.example", 10, "mx" + std::to_string(host) + ".example");
        town.add_server(host);
    }
    town.inject(400);
    EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
    town.expect_clean();
    for (const auto& server : town.servers)
        EXPECT_GT(server->sessions(), 0U);
}

TEST(RelayRouting, a_host_that_refuses_with_554_is_skipped) {
    Town town;
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.zone.add_mx("one.example", 20, "mx2.example");
    MxOptions rude;
    rude.script = [](const Moment& moment) {
        return moment.stage == Stage::greeting ? Verdict{.reply = "554 5.7.1 not you"} : Verdict{};
    };
    town.add_server(1, rude);
    SimMx& second = town.add_server(2);
    town.inject(5);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    town.expect_clean();
    EXPECT_EQ(second.ledger().size(), 5U);
}

// RFC 7504: one that never takes mail is passed over; when all say so, mail is returned at once.
TEST(RelayRouting, a_host_that_says_521_takes_no_mail_ever) {
    MxOptions never;
    never.script = [](const Moment& moment) {
        return moment.stage == Stage::greeting ? Verdict{.reply = "521 5.3.2 no mail here"}
                                               : Verdict{};
    };
    {
        Town town;
        town.zone.add_mx("one.example", 10, "mx1.example");
        town.zone.add_mx("one.example", 20, "mx2.example");
        town.add_server(1, never);
        SimMx& second = town.add_server(2);
        town.inject(5);
        EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
        town.expect_clean();
        EXPECT_EQ(second.ledger().size(), 5U);
    }
    Town town;
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.zone.add_mx("one.example", 20, "mx2.example");
    town.add_server(1, never);
    town.add_server(2, never);
    town.inject(5);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    town.expect_clean();
    EXPECT_EQ(town.relay.count("Bounce"), 5U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
}

// All hosts gone for a day: deferred again and again, then delivered without anyone's help.
TEST(RelayRouting, a_site_that_is_away_for_a_day) {
    Town town;
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1);
    town.world.network().set_planner([&town](const Opening&) {
        return town.world.elapsed() < hours{24} ? plan_of(ConnectResult::refuse) : LinkPlan{};
    });
    town.inject(100);
    EXPECT_TRUE(town.relay.run_until_drained(days{2}));
    town.expect_clean();
    EXPECT_EQ(town.relay.count("Delivery"), 100U);
    EXPECT_LT(town.world.network().stats().openings, 1500U);
    EXPECT_LT(town.world.elapsed(), hours{26});
}

TEST(RelayRouting, a_site_that_never_comes_back_expires_everything) {
    Town town({.intervals = {minutes{20}, hours{3}}, .max_age = days{2}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1);
    town.world.network().set_planner(
        [](const Opening&) { return plan_of(ConnectResult::black_hole); });
    town.inject(30);
    EXPECT_TRUE(town.relay.run_until_drained(days{3}));
    town.expect_clean();
    EXPECT_EQ(town.relay.count("Expiration"), 30U);
    EXPECT_LE(town.world.elapsed(), days{2} + minutes{10});
}

// One dead site among busy ones delays nobody else.
TEST(RelayRouting, a_dead_site_holds_nobody_back) {
    Town town({}, 2);
    for (int host = 1; host <= 3; ++host) {
        town.zone.add_mx("d" + std::to_string(host) + ".example", 10,
                         "mx" + std::to_string(host) + ".example");
        town.add_server(host);
    }
    town.world.network().set_planner([&town](const Opening& opening) {
        const bool dead = opening.server == address_of(2) && town.world.elapsed() < hours{5};
        return plan_of(dead ? ConnectResult::black_hole : ConnectResult::accept);
    });
    town.inject(100, "d2.example");
    town.inject(100, "d1.example");
    town.inject(100, "d3.example");
    town.world.run_for(minutes{1});
    EXPECT_EQ(town.relay.count("Delivery"), 200U);
    EXPECT_TRUE(town.relay.run_until_drained(days{1}));
    town.expect_clean();
    EXPECT_EQ(town.relay.count("Delivery"), 300U);
}

// ---- DNS

TEST(RelayRouting, dns_that_fails_for_hours_only_delays) {
    Town town;
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.zone.fail("one.example", dns::RecordType::mx, dns::DnsStatus::servfail);
    town.add_server(1);
    town.inject(10);
    town.world.network().at(core::Instant{hours{5}},
                            [&town] { town.zone.heal("one.example", dns::RecordType::mx); });
    EXPECT_TRUE(town.relay.run_until_drained(days{1}));
    town.expect_clean();
    EXPECT_EQ(town.relay.count("Delivery"), 10U);
    EXPECT_LT(town.zone.questions, 200U);
}

TEST(RelayRouting, no_such_domain_and_null_mx_bounce_at_once) {
    Town town;
    town.zone.names["null.example"][dns::RecordType::mx].records.push_back(
        {"null.example", dns::RecordType::mx, 300, dns::MxData{0, "."}});
    town.inject(1, "missing.example");
    town.inject(1, "null.example");
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    town.expect_clean();
    EXPECT_EQ(town.relay.count("Bounce"), 2U);
    const auto missing = town.relay.events_of("u1@missing.example");
    const auto null_mx = town.relay.events_of("u2@null.example");
    ASSERT_FALSE(missing.empty() || null_mx.empty());
    EXPECT_EQ(missing.back().code, 550U);
    EXPECT_EQ(null_mx.back().code, 556U);
}

// The records change while mail waits: the retry goes to the new host.
TEST(RelayRouting, a_retry_follows_changed_mx_records) {
    Town town;
    town.zone.add_mx("one.example", 10, "mx1.example");
    MxOptions full;
    full.script = [](const Moment& moment) {
        return moment.stage == Stage::rcpt ? Verdict{.reply = "452 4.2.2 full"} : Verdict{};
    };
    town.add_server(1, full);
    SimMx& second = town.add_server(2);
    town.inject(5);
    town.world.network().at(core::Instant{minutes{7}}, [&town] {
        town.zone.names.erase("one.example");
        town.zone.add_mx("one.example", 10, "mx2.example");
    });
    EXPECT_TRUE(town.relay.run_until_drained(hours{3}));
    town.expect_clean();
    EXPECT_EQ(second.ledger().size(), 5U);
}

TEST(RelayRouting, many_messages_ask_dns_once) {
    Town town;
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1);
    town.inject(300);
    EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
    town.expect_clean();
    // One MX question; addresses for each of at most ten connections.
    EXPECT_LE(town.zone.questions, 1U + 2 * town.servers[0]->sessions());
}

// A list of many small domains must not leave a path behind for each of them for an hour.
TEST(RelayRouting, paths_are_kept_for_long_only_while_they_are_few) {
    for (const std::size_t many : {50U, 1000U}) {
        Town town({.many_paths = many}, 2);
        town.add_server(1);
        town.add_server(2);
        constexpr int kDomains = 300;
        for (int i = 0; i < kDomains; ++i) {
            const std::string domain = "d" + std::to_string(i) + ".example";
            town.zone.add_mx(domain, 10, "mx." + domain);
            town.zone.add_address("mx." + domain, address_of(1).ip);
            town.inject(2, domain);
        }
        town.zone.add_mx("dead.example", 10, "mx9.example");
        town.zone.add_address("mx9.example", address_of(9).ip);
        town.inject(1, "dead.example");
        town.world.run_for(minutes{1});
        EXPECT_EQ(town.relay.count("Delivery"), 2U * kDomains);
        EXPECT_EQ(town.relay.paths(), 1U + kDomains);
        town.world.run_for(minutes{3});
        if (many < kDomains / 2) {
            EXPECT_LE(town.relay.paths(), 1U + many * 2);
        } else {
            EXPECT_EQ(town.relay.paths(), 1U + kDomains);
            town.world.run_for(minutes{62});
            EXPECT_LE(town.relay.paths(), 1U);
        }
        for (int i = 0; i < 10; ++i)  // and what was forgotten is made again
            town.inject(1, "d" + std::to_string(i) + ".example");
        town.world.run_for(minutes{1});
        EXPECT_EQ(town.relay.count("Delivery"), 2U * kDomains + 10U);
    }
}

TEST(RelayRouting, connections_idle_for_long_only_while_they_are_few) {
    for (const std::size_t many : {50U, 1000U}) {
        Town town({.many_idle = many});
        town.add_server(1);
        for (int i = 0; i < 300; ++i) {
            const std::string domain = "d" + std::to_string(i) + ".example";
            town.zone.add_mx(domain, 10, "mx." + domain);
            town.zone.add_address("mx." + domain, address_of(1).ip);
            town.inject(1, domain);
        }
        town.world.run_for(seconds{15});
        EXPECT_EQ(town.relay.count("Delivery"), 300U);
        EXPECT_EQ(town.world.network().connections_to(address_of(1)),
                  std::min<std::size_t>(many, 300));
        town.world.run_for(seconds{30});
        EXPECT_EQ(town.world.network().connections_to(address_of(1)), 0U);
        town.expect_clean();
    }
}

// ---- Services of a route (RFC 2782)

const std::string kService = "_submission._tcp.smart.example";

relay::RouteConfig route_to_service() {
    relay::RouteConfig route;
    route.domain = "*";
    route.hosts = {{.host = kService, .port = 0, .service = true}};
    return route;
}

std::set<dns::RecordType> types_asked(const Town& town) {
    std::set<dns::RecordType> types;
    for (const auto& [question, times] : town.zone.asked)
        types.insert(question.second);
    return types;
}

TEST(RelayServices, a_route_follows_srv_records) {
    Town town({.routes = {route_to_service()}});
    town.zone.add_srv(kService, {20, 0, 25, "mx3.example"});
    town.zone.add_srv(kService, {10, 5, 25, "mx1.example"});
    town.zone.add_srv(kService, {10, 5, 25, "mx2.example"});
    SimMx& first = town.add_server(1);
    SimMx& second = town.add_server(2);
    SimMx& backup = town.add_server(3);
    for (int i = 0; i < 10; ++i) {
        town.inject(20, "d" + std::to_string(i) + ".example");
        EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
        town.world.run_for(minutes{1});  // idle connections end
    }
    town.expect_clean();
    EXPECT_GT(first.sessions(), 0U);
    EXPECT_GT(second.sessions(), 0U);
    EXPECT_EQ(backup.sessions(), 0U);
    EXPECT_EQ(types_asked(town),
              (std::set{dns::RecordType::srv, dns::RecordType::a, dns::RecordType::aaaa}));

    town.world.network().set_planner([](const Opening& opening) {
        return plan_of(opening.server == address_of(3) ? ConnectResult::accept
                                                       : ConnectResult::refuse);
    });
    town.inject(10);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    EXPECT_EQ(backup.ledger().size(), 10U);
    town.world.network().set_planner({});
}

// A service that is off, or gone from DNS, is the operator's to mend: nothing is returned for it.
TEST(RelayServices, mail_waits_for_a_service_that_is_not_there) {
    Town town({.routes = {route_to_service()}});
    town.add_server(1);
    town.inject(3);
    town.world.run_for(minutes{1});
    town.zone.add_srv(kService, {0, 0, 0, "."});
    town.world.run_for(hours{1});
    EXPECT_EQ(town.relay.count("Bounce"), 0U);
    EXPECT_EQ(town.relay.count("Delivery"), 0U);
    EXPECT_GE(town.relay.count("TransientFailure"), 6U);
    for (const Recorded& one : town.relay.events()) {
        if (one.type != "TransientFailure") continue;
        EXPECT_NE(one.line.find(R"("class":4,"subject":4,"detail":4)"), std::string::npos);
    }
    town.zone.names.erase(kService);
    town.zone.add_srv(kService, {0, 0, 25, "mx1.example"});
    EXPECT_TRUE(town.relay.run_until_drained(hours{4}));
    town.expect_clean();
    EXPECT_EQ(town.relay.count("Delivery"), 3U);
}

TEST(RelayServices, mail_by_mx_asks_for_mx_and_addresses_only) {
    Town town;
    town.zone.add_mx("one.example", 10, "mx1.example");
    for (const char* service : {"_smtp._tcp.one.example", "_submission._tcp.one.example"})
        town.zone.add_srv(service, {0, 0, 25, "mx2.example"});
    SimMx& server = town.add_server(1);
    SimMx& service = town.add_server(2);
    town.inject(10);
    town.inject(10, "mx1.example");  // its own MX
    town.inject(10, "missing.example");
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    town.expect_clean();
    EXPECT_EQ(server.ledger().size(), 20U);
    EXPECT_EQ(service.sessions(), 0U);
    EXPECT_EQ(types_asked(town),
              (std::set{dns::RecordType::mx, dns::RecordType::a, dns::RecordType::aaaa}));
}

// ---- Address literals (RFC 5321 section 4.1.3)

TEST(RelayRouting, address_literals_are_delivered_to_where_they_are_allowed) {
    const core::IpAddress v6 = *core::IpAddress::parse("2001:db8::1");
    dns::RoutingRules rules;
    rules.prohibited = {*core::IpNetwork::parse("198.51.100.2/32")};
    rules.own_addresses = {address_of(3).ip};
    for (const bool allowed : {true, false}) {
        rules.address_literals = allowed;
        Town town({.rules = rules});
        SimMx& server = town.add_server(1);
        SimMx& prohibited = town.add_server(2);
        SimMx& ours = town.add_server(3);
        town.servers.push_back(std::make_unique<SimMx>(town.world, core::SocketAddress{v6, 25},
                                                       MxOptions{.name = "six.example"}));
        SimMx& six = *town.servers.back();
        six.start();
        town.inject(1, "[198.51.100.1]");
        town.inject(1, "[IPv6:2001:DB8::1]");
        town.inject(1, "[198.51.100.2]");
        town.inject(1, "[198.51.100.3]");
        EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
        town.expect_clean();
        EXPECT_EQ(town.zone.questions, 0U);
        EXPECT_EQ(server.ledger().size(), allowed ? 1U : 0U);
        EXPECT_EQ(six.ledger().size(), allowed ? 1U : 0U);
        EXPECT_EQ(prohibited.sessions() + ours.sessions(), 0U);
        EXPECT_EQ(town.relay.count("Bounce"), allowed ? 2U : 4U);
        EXPECT_EQ(town.relay.events_of("u3@[198.51.100.2]").back().code, 550U);
        EXPECT_EQ(town.relay.events_of("u4@[198.51.100.3]").back().code, allowed ? 554U : 550U);
    }
}

// ---- Limits

// No window of any length holds more than the rate allows, burst included.
void expect_rate(const std::vector<core::Instant>& times, std::uint64_t count,
                 core::Duration period, std::uint64_t burst) {
    for (std::size_t first = 0; first < times.size(); ++first) {
        for (std::size_t last = first; last < times.size(); ++last) {
            const core::Duration span = times[last] - times[first];
            const std::size_t seen = last - first + 1;
            const auto allowed = static_cast<std::size_t>(
                static_cast<double>(count) * static_cast<double>((span + milliseconds{5}).count()) /
                static_cast<double>(period.count()));
            ASSERT_LE(seen, allowed + burst + 1)
                << "in " << std::chrono::duration_cast<milliseconds>(span).count() << " ms";
        }
    }
}

TEST(RelayLimits, the_message_rate_holds_and_is_used) {
    for (const std::uint64_t rate : {5U, 50U}) {
        Town town({.limits = {.max_message_rate = {rate, seconds{1}}}}, 2);
        town.zone.add_mx("one.example", 10, "mx1.example");
        SimMx& server = town.add_server(1);
        town.inject(300);
        EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
        town.expect_clean();
        expect_rate(server.content_times(), rate, seconds{1},
                    std::max<std::uint64_t>(1, rate / 20));
        const core::Duration expected = seconds{1} * 300 / static_cast<int>(rate);
        const core::Duration took = server.content_times().back() - server.content_times().front();
        EXPECT_LE(took, expected * 11 / 10 + seconds{1}) << "the rate is not used";
    }
}

TEST(RelayLimits, the_connection_rate_holds) {
    Town town({.limits = {.connection_limit = 5,
                          .max_deliveries_per_connection = 1,
                          .max_connection_rate = {30, minutes{1}}}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1);
    town.inject(200);
    EXPECT_TRUE(town.relay.run_until_drained(hours{2}));
    town.expect_clean();
    EXPECT_EQ(server.sessions(), 200U);
    expect_rate(server.session_times(), 30, minutes{1}, 5);
}

TEST(RelayLimits, the_connection_limit_holds_for_the_site_as_a_whole) {
    constexpr std::size_t kLimit = 4;
    Town town({.limits = {.connection_limit = kLimit, .max_deliveries_per_connection = 10}}, 3);
    std::size_t peak = 0;
    for (const int host : {1, 2}) {
        town.zone.add_mx("one.example", 10, "mx" + std::to_string(host) + ".example");
        town.zone.add_mx("two.example", 10, "mx" + std::to_string(host) + ".example");
        town.add_server(host, {.content_delay = milliseconds{200}});
    }
    town.world.network().set_planner([&](const Opening&) {
        peak = std::max(peak, town.world.network().connections_to(address_of(1)) +
                                  town.world.network().connections_to(address_of(2)));
        return LinkPlan{};
    });
    town.inject(300, "one.example");
    town.inject(300, "two.example");  // the same site, so the same path
    EXPECT_TRUE(town.relay.run_until_drained(hours{2}));
    town.expect_clean();
    EXPECT_EQ(peak, kLimit);
}

// U10: mail for any number of domains, by a route to one smarthost: the table of that host binds
// all of it, but for a domain that has one of its own.
TEST(RelayLimits, a_route_has_the_limits_of_its_host) {
    relay::NextHop hop{.host = "mx1.example", .port = 25};
    relay::RouteConfig route{.domain = "*", .hosts = {hop}};
    Town town({.routes = {route},
               .shaping = "[\"mx1.example\"]\nmax_message_rate = \"5/s\"\n"
                          "[\"own.example\"]\nmax_message_rate = \"1000/s\"\n"});
    SimMx& server = town.add_server(1);
    for (int domain = 0; domain < 20; ++domain)
        town.inject(10, "d" + std::to_string(domain) + ".example");
    town.world.run_for(seconds{20});
    EXPECT_GE(server.ledger().size(), 80U);
    EXPECT_LE(server.ledger().size(), 105U);
    town.inject(50, "own.example");
    town.world.run_for(seconds{2});
    EXPECT_GE(server.ledger().size(), 130U);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{2}));
    town.expect_clean();
}

TEST(RelayLimits, a_connection_carries_no_more_messages_than_allowed) {
    Town town({.limits = {.connection_limit = 2,
                          .max_deliveries_per_connection = 7,
                          .max_connection_rate = {1000, seconds{1}}}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1);
    town.inject(70);
    EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
    town.expect_clean();
    std::map<std::uint64_t, std::size_t> per_session;
    for (const Taken& taken : server.ledger())
        ++per_session[taken.session];
    for (const auto& [session, count] : per_session)
        EXPECT_LE(count, 7U) << session;
    EXPECT_LE(per_session.size(), 12U);
}

// With one connection and a round trip of 50 ms, a message costs one round trip.
TEST(RelayLimits, one_round_trip_per_message) {
    for (const bool chunking : {false, true}) {
        Town town({.limits = {.connection_limit = 1, .max_deliveries_per_connection = 1000}});
        town.zone.add_mx("one.example", 10, "mx1.example");
        SimMx& server = town.add_server(1, {.chunking = chunking});
        town.world.network().set_planner([](const Opening&) {
            LinkPlan plan;
            plan.latency_min = plan.latency_max = milliseconds{25};
            return plan;
        });
        town.inject(200);
        EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
        town.expect_clean();
        const auto& times = server.content_times();
        const double span = std::chrono::duration<double>(times.back() - times.front()).count();
        const double rate = static_cast<double>(times.size() - 1) / span;
        EXPECT_GE(rate, 19.0) << (chunking ? "BDAT" : "DATA");
    }
}

// ---- The end of a process

TEST(RelayClosing, what_is_not_delivered_when_it_drains_goes_home) {
    Town town;
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1, {.content_delay = seconds{2}});
    town.inject(100);
    town.world.run_for(seconds{5});
    EXPECT_TRUE(town.relay.close(seconds{30}));
    const std::size_t delivered = town.relay.count("Delivery");
    EXPECT_GT(delivered, 0U);
    EXPECT_LT(delivered, 100U);
    EXPECT_EQ(server.ledger().size(), delivered);
}

}  // namespace
}  // namespace sim
