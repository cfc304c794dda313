// Providers: paths to different sites of one provider share its limits, take turns, and belong to
// one home shard, whatever the number of shards.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_town.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const std::string kProvider = "[provider.\"p\"]\nmatch = [{MXSuffix=\".p.example\"}]\n";

RelayOptions fast(const std::string& limits) {
    RelayOptions options;
    options.limits.connection_limit = 20;
    options.limits.max_message_rate = {1'000'000, seconds{1}};
    options.limits.max_connection_rate = {1'000'000, seconds{1}};
    options.shaping = kProvider + limits;
    return options;
}

// Each domain has an MX host of its own; all of them lead to one server, which counts.
struct Provider : Town {
    Provider(std::size_t shards, int domains, const std::string& limits, MxOptions server = {})
        : Town(fast(limits), shards) {
        for (int i = 0; i < domains; ++i) {
            const std::string host = "mx" + std::to_string(i) + ".p.example";
            zone.add_mx(domain(i), 10, host);
            zone.add_address(host, address_of(1).ip);
        }
        add_server(1, std::move(server));
    }
    static std::string domain(int i) { return "d" + std::to_string(i) + ".example"; }
    SimMx& server() { return *servers.front(); }
    void drain(core::Duration within) {
        EXPECT_TRUE(relay.run_until_drained(within));
        expect_clean();
    }
};

class RelayProviders : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(shards, RelayProviders, testing::Values(1, 4),
                         testing::PrintToStringParamName());

TEST_P(RelayProviders, connections_to_all_sites_together_stay_within_the_limit) {
    Provider town(GetParam(), 12, "provider_connection_limit = 3\n",
                  {.content_delay = milliseconds{20}});
    for (int i = 0; i < 12; ++i)
        town.inject(50, Provider::domain(i));
    town.drain(hours{1});
    EXPECT_EQ(town.server().peak_sessions(), 3U);
    EXPECT_EQ(town.server().transactions(), 600U);
}

TEST_P(RelayProviders, without_the_limit_each_site_has_its_own) {
    Provider town(GetParam(), 12, "connection_limit = 2\n", {.content_delay = milliseconds{20}});
    for (int i = 0; i < 12; ++i)
        town.inject(50, Provider::domain(i));
    town.drain(hours{1});
    EXPECT_EQ(town.server().peak_sessions(), 24U);
}

TEST_P(RelayProviders, messages_to_all_sites_together_keep_to_the_rate) {
    Provider town(GetParam(), 5, "provider_max_message_rate = \"20/s\"\n");
    const core::Duration begin = town.world.elapsed();
    for (int i = 0; i < 5; ++i)
        town.inject(40, Provider::domain(i));
    town.drain(minutes{1});
    const core::Duration took = town.world.elapsed() - begin;
    EXPECT_GE(took, milliseconds{9500});  // 200 messages
    EXPECT_LE(took, milliseconds{11000});
    EXPECT_EQ(town.server().transactions(), 200U);
}

// Whoever has much mail keeps a connection for max_deliveries_per_connection messages; then the one
// that waited longest has its place.
TEST_P(RelayProviders, a_site_with_little_mail_does_not_wait_for_all_of_another) {
    Provider town(GetParam(), 2,
                  "provider_connection_limit = 1\nmax_deliveries_per_connection = 10\n",
                  {.content_delay = milliseconds{100}});
    town.inject(2000, Provider::domain(0));
    town.world.run_for(seconds{2});
    town.relay.inject(0, {"one@" + Provider::domain(1)});
    const auto arrived = [&town] {
        return std::ranges::any_of(town.server().ledger(), [](const Taken& each) {
            return each.recipient.contains("one@");
        });
    };
    EXPECT_TRUE(town.world.run_until(arrived, seconds{5}));
    EXPECT_LT(town.server().transactions(), 200U);
    town.drain(hours{1});
    EXPECT_EQ(town.server().peak_sessions(), 1U);
}

// An idle connection of one site is no reason for another to wait.
TEST_P(RelayProviders, an_idle_connection_gives_its_place_to_a_site_that_needs_one) {
    Provider town(GetParam(), 2, "provider_connection_limit = 1\nidle_timeout = \"10m\"\n");
    town.inject(1, Provider::domain(0));
    town.drain(minutes{1});
    town.inject(1, Provider::domain(1));
    EXPECT_TRUE(town.relay.run_until_drained(seconds{5}));
    EXPECT_EQ(town.server().transactions(), 2U);
}

TEST_P(RelayProviders, a_reload_changes_their_limits_in_place) {
    Provider town(GetParam(), 6, "provider_connection_limit = 2\n",
                  {.content_delay = milliseconds{50}});
    for (int i = 0; i < 6; ++i)
        town.inject(200, Provider::domain(i));
    town.world.run_for(seconds{2});
    EXPECT_EQ(town.server().peak_sessions(), 2U);
    town.relay.reload(kProvider + "provider_connection_limit = 5\n", {});
    town.drain(hours{1});
    EXPECT_EQ(town.server().peak_sessions(), 5U);
}

// A table binds the whole site where it says so, and one domain otherwise.
TEST_P(RelayProviders, a_table_that_is_rolled_up_holds_for_all_domains_of_the_site) {
    for (const bool rollup : {false, true}) {
        RelayOptions options = fast("[\"big.example\"]\nconnection_limit = 2\nmx_rollup = " +
                                    std::string(rollup ? "true" : "false") + "\n");
        options.limits.connection_limit = 5;
        Town town(options, GetParam());
        for (const char* domain : {"big.example", "small.example"})
            town.zone.add_mx(domain, 10, "mx1.example");
        SimMx& server = town.add_server(1, {.content_delay = milliseconds{20}});
        town.inject(1, "big.example");  // it is looked up with the first mail
        EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
        town.inject(200, "small.example");
        town.inject(200, "big.example");
        EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
        EXPECT_EQ(server.peak_sessions(), rollup ? 2U : 7U);
        town.expect_clean();
    }
}

TEST_P(RelayProviders, a_table_is_rolled_up_though_its_own_domain_gets_no_mail) {
    Town town(fast("[\"big.example\"]\nconnection_limit = 2\nmx_rollup = true\n"), GetParam());
    for (const char* domain : {"big.example", "one.example", "small.example"})
        town.zone.add_mx(domain, 10, domain[0] == 'o' ? "mx2.example" : "mx1.example");
    SimMx& server = town.add_server(1, {.content_delay = milliseconds{20}});
    town.add_server(2);
    town.inject(static_cast<int>(GetParam()));  // each shard looks the table's domain up
    town.world.run_for(minutes{1});
    town.inject(400, "small.example");
    EXPECT_TRUE(town.relay.run_until_drained(hours{1}));
    EXPECT_EQ(server.peak_sessions(), 2U);
    town.expect_clean();
}

// What a table says about how its hosts are spoken to.
TEST(RelayShaping, the_port_and_the_name_in_ehlo_are_those_of_the_table) {
    RelayOptions options;
    options.shaping = "[\"one.example\"]\nsmtp_port = 2526\nehlo_domain = \"bulk.example\"\n";
    Town town(std::move(options));
    std::vector<std::string> hellos;
    MxOptions server{.name = "mx1.example"};
    server.script = [&hellos](const Moment& moment) {
        if (moment.stage == Stage::hello) hellos.emplace_back(moment.line);
        return Verdict{};
    };
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.zone.add_address("mx1.example", address_of(1).ip);
    town.servers.push_back(
        std::make_unique<SimMx>(town.world, core::SocketAddress{address_of(1).ip, 2526}, server));
    town.servers.back()->start();
    town.inject(1);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    EXPECT_EQ(hellos, std::vector<std::string>{"EHLO bulk.example"});
    town.expect_clean();
}

}  // namespace
}  // namespace sim
