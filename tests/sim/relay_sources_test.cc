// Egress sources and pools over time: who sends what, what is learned for whom, and what becomes of
// the mail of a source that cannot be used.
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/routing/source_choice.h"
#include "tests/sim/sim_relay.h"
#include "tests/sim/sim_town.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const relay::ShapingLimits kFast{.max_message_rate = {100'000, seconds{1}},
                                 .max_connection_rate = {100'000, seconds{1}}};

// "ip-1" sends from 192.0.2.1, and calls itself out1.example.
relay::EgressSource source(int number, const std::string& address = {}) {
    relay::EgressSource made;
    made.name = "ip-" + std::to_string(number);
    made.addresses.push_back(
        *core::IpAddress::parse(address.empty() ? "192.0.2." + std::to_string(number) : address));
    made.ehlo = "out" + std::to_string(number) + ".example";
    return made;
}

relay::EgressPool pool_of(const std::vector<std::pair<int, std::uint32_t>>& weights) {
    relay::EgressPool pool{"default", {}};
    for (const auto& [number, weight] : weights)
        pool.sources.push_back({"ip-" + std::to_string(number), weight, 0});
    return pool;
}

RelayOptions with_sources(const std::vector<std::pair<int, std::uint32_t>>& weights) {
    RelayOptions options{.limits = kFast};
    for (const auto& [number, weight] : weights)
        options.sources.push_back(source(number));
    options.pools.push_back(pool_of(weights));
    return options;
}

std::map<std::string, std::size_t> by_client(const SimMx& server) {
    std::map<std::string, std::size_t> counts;
    for (const Taken& each : server.ledger())
        ++counts[each.client.ip.to_string()];
    return counts;
}

std::string field_of(const std::string& line, const std::string& before) {
    const auto found = line.find(before);
    if (found == std::string::npos) return {};
    const auto begin = found + before.size();
    return line.substr(begin, line.find('"', begin) - begin);
}

std::string address_in(const Recorded& event) {
    return field_of(event.line, "\"source_address\":{\"address\":\"");
}

// Attempts to connect that the network saw, by the address they came from.
struct Clients {
    explicit Clients(
        Town& town, std::function<ConnectResult(const Opening&)> result =
                        [](const Opening&) { return ConnectResult::accept; })
        : network(town.world.network()) {
        network.set_planner([this, result](const Opening& opening) {
            ++count[opening.client.ip.to_string()];
            return plan_of(result(opening));
        });
    }
    ~Clients() { network.set_planner({}); }
    Clients(const Clients&) = delete;
    Clients& operator=(const Clients&) = delete;
    SimNetwork& network;
    std::map<std::string, std::size_t> count;
};

TEST(RelaySources, sources_take_their_shares_and_say_their_own_names) {
    for (const std::size_t shards : {1U, 3U}) {
        std::set<std::string> hellos;
        Town town(with_sources({{1, 1}, {2, 1}, {3, 2}, {4, 0}}), shards);
        town.zone.add_mx("one.example", 10, "mx1.example");
        MxOptions options;
        options.script = [&hellos](const Moment& moment) {
            if (moment.stage == Stage::hello) hellos.insert(std::string(moment.argument));
            return Verdict{};
        };
        SimMx& server = town.add_server(1, options);
        town.inject(800);
        EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
        town.expect_clean();
        auto counts = by_client(server);
        EXPECT_EQ(counts.size(), 3U);
        EXPECT_NEAR(static_cast<double>(counts["192.0.2.1"]), 200, 45);
        EXPECT_NEAR(static_cast<double>(counts["192.0.2.2"]), 200, 45);
        EXPECT_NEAR(static_cast<double>(counts["192.0.2.3"]), 400, 55);
        EXPECT_EQ(hellos, (std::set<std::string>{"EHLO out1.example", "EHLO out2.example",
                                                 "EHLO out3.example"}));
        for (const Recorded& event : town.relay.events()) {
            if (event.type != "Delivery") continue;
            const std::string name = field_of(event.line, "\"egress_source\":\"");
            EXPECT_EQ("192.0.2." + name.substr(3), address_in(event));
            EXPECT_EQ(field_of(event.line, "\"egress_pool\":\""), "default");
        }
    }
}

TEST(RelaySources, recipients_of_a_message_to_one_site_stay_in_one_transaction) {
    Town town(with_sources({{1, 1}, {2, 1}, {3, 1}}));
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1);
    for (int message = 0; message < 20; ++message) {
        std::vector<std::string> recipients;
        for (int i = 0; i < 50; ++i)
            recipients.push_back("u" + std::to_string(50 * message + i) + "@one.example");
        town.relay.inject(0, recipients);
    }
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    EXPECT_EQ(server.transactions(), 20U);
    EXPECT_EQ(by_client(server).size(), 3U);
    town.expect_clean();
}

// As KumoMTA's ready queues are: each source has a path of its own to a site.
TEST(RelaySources, limits_hold_for_each_source_and_shaping_files_may_set_them_for_one) {
    RelayOptions options = with_sources({{1, 1}, {2, 1}});
    options.limits.connection_limit = 4;
    options.shaping = "[\"one.example\".sources.\"ip-1\"]\nconnection_limit = 1\n";
    std::map<std::uint64_t, std::string> names;  // open sessions
    std::map<std::string, std::size_t> peaks;
    Town town(std::move(options));
    town.zone.add_mx("one.example", 10, "mx1.example");
    MxOptions mx{.content_delay = seconds{1}};
    mx.script = [&](const Moment& moment) {
        if (moment.stage == Stage::hello) {
            names[moment.session] = std::string(moment.argument);
            std::map<std::string, std::size_t> open;
            for (const auto& [session, name] : names)
                peaks[name] = std::max(peaks[name], ++open[name]);
        } else if (moment.stage == Stage::quit) {
            names.erase(moment.session);
        }
        return Verdict{};
    };
    SimMx& server = town.add_server(1, mx);
    town.inject(200);
    EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
    EXPECT_EQ(peaks["EHLO out1.example"], 1U);
    EXPECT_EQ(peaks["EHLO out2.example"], 4U);
    EXPECT_LE(server.peak_sessions(), 5U);
    town.expect_clean();
}

TEST(RelaySources, greylisted_mail_comes_back_from_the_same_address) {
    Town town(with_sources({{1, 1}, {2, 1}, {3, 1}}));
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1, {.greylist_for = minutes{5}});
    town.inject(60);
    town.world.run_for(minutes{1});
    // Another source, and another order of them, move none of it.
    town.relay.reload("", [](relay::CheckedConfig& next) {
        next.egress = {{source(4), source(3), source(2), source(1)},
                       {pool_of({{4, 9}, {3, 1}, {2, 1}, {1, 1}})},
                       &next.egress};
    });
    EXPECT_TRUE(town.relay.run_until_drained(hours{2}));
    for (int i = 1; i <= 60; ++i) {
        const auto events = town.relay.events_of("u" + std::to_string(i) + "@one.example");
        std::set<std::string> addresses;
        for (const Recorded& each : events) {
            if (each.type != "Reception") addresses.insert(address_in(each));
        }
        EXPECT_GE(events.size(), 3U);
        EXPECT_EQ(addresses.size(), 1U);
    }
    town.expect_clean();
}

TEST(RelaySources, a_source_that_cannot_be_bound_leaves_its_mail_to_the_others) {
    bool lacks = true;
    Town town(with_sources({{1, 1}, {2, 1}}), 2,
              {.lacks = [&lacks](const core::IpAddress& address) {
                  return lacks && address == *core::IpAddress::parse("192.0.2.1");
              }});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1);
    town.inject(100);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    EXPECT_EQ(by_client(server)["192.0.2.2"], 100U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
    for (const Recorded& event : town.relay.events()) {
        if (event.type == "Delivery") EXPECT_EQ(event.attempts, 1U);
    }
    // It is looked for again, and has its share.
    lacks = false;
    town.world.run_for(relay::SourceChoice::kRest + seconds{1});
    town.inject(100);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    EXPECT_GT(by_client(server)["192.0.2.1"], 30U);
    town.expect_clean();
}

TEST(RelaySources, a_pool_without_a_usable_source_defers_and_counts_no_attempt) {
    bool lacks = true;
    RelayOptions options = with_sources({{1, 1}, {2, 1}});
    options.intervals = {minutes{2}, hours{5}};
    Town town(std::move(options), 1, {.lacks = [&lacks](const core::IpAddress&) { return lacks; }});
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1);
    Clients clients(town);
    town.inject(10);
    town.world.run_for(minutes{30});
    EXPECT_TRUE(clients.count.empty());
    EXPECT_GE(town.relay.count("TransientFailure"), 100U);
    for (const Recorded& event : town.relay.events()) {
        if (event.type != "TransientFailure") continue;
        EXPECT_EQ(event.attempts, 0U);
        EXPECT_EQ(event.code, 451U);
        EXPECT_NE(event.line.find("no egress source of pool \\\"default\\\" can be used now"),
                  std::string::npos);
    }
    lacks = false;
    EXPECT_TRUE(town.relay.run_until_drained(minutes{5}));
    EXPECT_EQ(town.relay.count("Delivery"), 10U);
    town.expect_clean();
}

TEST(RelaySources, mail_to_a_host_of_one_family_goes_by_sources_of_that_family) {
    const core::IpAddress v6 = *core::IpAddress::parse("2001:db8::5");
    RelayOptions options = with_sources({{1, 1}, {2, 1}});
    options.sources[1] = source(2, "2001:db8::2");
    Town town(std::move(options));
    town.zone.add_mx("six.example", 10, "mx6.example");
    town.zone.add_address("mx6.example", v6);
    town.servers.push_back(
        std::make_unique<SimMx>(town.world, core::SocketAddress{v6, 25}, MxOptions{}));
    town.servers.back()->start();
    SimMx& server = *town.servers.back();
    town.inject(40, "six.example");
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    EXPECT_EQ(by_client(server)["2001:db8::2"], 40U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
    // The source is as good as before elsewhere.
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& other = town.add_server(1);
    town.inject(20);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    EXPECT_EQ(by_client(other)["192.0.2.1"], 20U);
    town.expect_clean();
}

TEST(RelaySources, a_host_that_refuses_one_source_is_still_asked_by_the_others) {
    Town town(with_sources({{1, 1}, {2, 1}}));
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1);
    Clients clients(town, [](const Opening& opening) {
        return opening.client.ip == *core::IpAddress::parse("192.0.2.1") ? ConnectResult::refuse
                                                                         : ConnectResult::accept;
    });
    town.inject(40);
    town.world.run_for(minutes{1});
    const std::size_t first = by_client(server)["192.0.2.2"];
    EXPECT_GT(first, 5U);
    EXPECT_EQ(town.relay.count("TransientFailure"), 40 - first);
    town.inject(40);
    town.world.run_for(minutes{1});
    EXPECT_GT(by_client(server)["192.0.2.2"], first + 5);
}

TEST(RelaySources, a_reload_moves_a_source_to_another_address) {
    Town town(with_sources({{1, 1}}));
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1);
    town.inject(5);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    town.relay.reload("", [](relay::CheckedConfig& next) {
        next.egress = {{source(1, "192.0.2.77")}, {pool_of({{1, 1}})}, &next.egress};
    });
    town.inject(5);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    EXPECT_EQ(by_client(server)["192.0.2.1"], 5U);
    EXPECT_EQ(by_client(server)["192.0.2.77"], 5U);
    town.expect_clean();
}

}  // namespace
}  // namespace sim
