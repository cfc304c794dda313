// A reload in the middle of traffic: what changes at once, what connections that are open keep, and
// that no mail suffers.
#include <string>

#include <gtest/gtest.h>

#include "relay/config/smarthost.h"
#include "tests/sim/sim_town.h"
#include "tests/sim/tls_scene.h"

namespace sim {
namespace {

using core::test::Authority;
using relay::CheckedConfig;
using relay::TlsPolicy;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr core::Rate kFast{100'000, seconds{1}};

std::string rate(const std::string& domain, const std::string& value) {
    return "[\"" + domain + "\"]\nmax_message_rate = \"" + value + "\"\n";
}

void expect_no_mail_suffered(Town& town, std::size_t messages) {
    town.expect_clean();
    EXPECT_EQ(town.relay.count("Delivery"), messages);
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
    for (const Recorded& one : town.relay.events()) {
        if (one.type == "Delivery") EXPECT_EQ(one.attempts, 1U) << one.line;
    }
}

// ---- limits

TEST(RelayReload, what_waits_goes_by_the_new_rate_at_once) {
    for (const char* table : {"one.example", "default"}) {
        Town town({.limits = {.connection_limit = 1}, .shaping = rate(table, "1/min")});
        town.zone.add_mx("one.example", 10, "mx1.example");
        SimMx& server = town.add_server(1);
        town.inject(60);
        town.world.run_for(minutes{3});
        EXPECT_LE(server.ledger().size(), 5U);
        town.relay.reload(rate(table, "100/s"));
        EXPECT_TRUE(town.relay.run_until_drained(seconds{5})) << table;
        town.relay.reload(rate(table, "1/min"));
        town.inject(10);
        town.world.run_for(minutes{3});
        EXPECT_LE(server.ledger().size(), 65U);
        EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
        expect_no_mail_suffered(town, 70);
    }
}

TEST(RelayReload, surplus_connections_end_after_what_they_have_begun) {
    Town town({.limits = {.max_message_rate = kFast, .max_connection_rate = kFast}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1, {.content_delay = seconds{1}});
    const auto open = [&town] { return town.world.network().connections_to(address_of(1)); };
    town.inject(400);
    town.world.run_for(seconds{5});
    EXPECT_EQ(open(), 10U);
    town.relay.reload("[\"default\"]\nconnection_limit = 2\n");
    town.world.run_for(seconds{5});
    EXPECT_EQ(open(), 2U);
    town.relay.reload("[\"default\"]\nconnection_limit = 5\n");
    town.world.run_for(seconds{5});
    EXPECT_EQ(open(), 5U);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{5}));
    town.relay.reload("[\"default\"]\nconnection_limit = 1\n");  // all are idle
    town.world.run_for(seconds{1});
    EXPECT_EQ(open(), 1U);
    expect_no_mail_suffered(town, 400);
}

TEST(RelayReload, a_new_table_binds_its_domain_alone_and_a_lost_one_nobody) {
    Town town({.limits = {.max_message_rate = kFast}});
    for (const char* domain : {"one.example", "two.example"})
        town.zone.add_mx(domain, 10, "mx1.example");
    SimMx& server = town.add_server(1);
    const auto taken_for = [&server](std::string_view domain) {
        return std::ranges::count_if(
            server.ledger(), [&](const Taken& taken) { return taken.recipient.ends_with(domain); });
    };
    town.inject(5, "one.example");
    town.inject(5, "two.example");
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    town.relay.reload(rate("one.example", "1/min"));
    town.inject(20, "one.example");
    town.inject(20, "two.example");
    town.world.run_for(minutes{3});
    EXPECT_LE(taken_for("@one.example"), 10);
    EXPECT_EQ(taken_for("@two.example"), 25);
    town.relay.reload("");
    EXPECT_TRUE(town.relay.run_until_drained(seconds{5}));
    expect_no_mail_suffered(town, 50);
}

TEST(RelayReload, modes_of_pipelining_are_chosen_again) {
    Town town({.limits = {.connection_limit = 1,
                          .max_deliveries_per_connection = 10,
                          .max_message_rate = kFast}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1);
    const auto groups_of_fifty = [&] {
        const std::size_t before = server.pipelined_groups();
        town.inject(50);
        EXPECT_TRUE(town.relay.run_until_drained(minutes{5}));
        town.world.run_for(minutes{1});  // connections that were open have ended
        return server.pipelined_groups() - before;
    };
    EXPECT_GT(groups_of_fifty(), 0U);
    town.relay.reload("[\"default\"]\npipeline_next = \"off\"\n");
    EXPECT_EQ(groups_of_fifty(), 0U);
    town.relay.reload("");
    EXPECT_GT(groups_of_fifty(), 0U);
    expect_no_mail_suffered(town, 150);
}

TEST(RelayReload, later_deferrals_go_by_the_new_schedule) {
    std::vector<core::Instant> attempts;
    MxOptions options;
    options.script = [&attempts](const Moment& moment) {
        if (moment.stage != Stage::rcpt) return Verdict{};
        attempts.push_back(moment.now);
        return Verdict{.reply = "450 4.2.1 not now"};
    };
    Town town({.intervals = {hours{1}}, .max_age = hours{10}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1, options);
    town.inject(1);
    town.world.run_for(minutes{1});
    town.relay.reload("[\"one.example\"]\nretry_intervals = [\"5m\"]\nmax_age = \"2h\"\n");
    EXPECT_TRUE(town.relay.run_until_drained(hours{3}));
    town.expect_clean();
    ASSERT_GE(attempts.size(), 9U);  // at 0 and 60 minutes, then each five
    EXPECT_NEAR(std::chrono::duration<double>(attempts[1] - attempts[0]).count(), 3600, 361);
    for (std::size_t i = 2; i < attempts.size(); ++i)
        EXPECT_NEAR(std::chrono::duration<double>(attempts[i] - attempts[i - 1]).count(), 300, 31);
    EXPECT_EQ(town.relay.count("Expiration"), 1U);
}

// ---- routes

std::vector<relay::RouteConfig> everything_to(int server) {
    relay::RouteConfig route;
    route.domain = "*";
    route.hosts = {{address_of(server).ip.to_string(), 25, address_of(server).ip}};
    return {route};
}

TEST(RelayReload, mail_takes_another_route_from_then_on) {
    Town town({.limits = {.max_message_rate = kFast}, .routes = everything_to(1)});
    SimMx& first = town.add_server(1);
    SimMx& second = town.add_server(2);
    town.inject(10);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    EXPECT_EQ(first.ledger().size(), 10U);
    town.relay.reload("", [](CheckedConfig& next) { next.config.routes = everything_to(2); });
    town.inject(10);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    EXPECT_EQ(second.ledger().size(), 10U);
    // Without a route by MX.
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.relay.reload("", [](CheckedConfig& next) { next.config.routes.clear(); });
    town.inject(10);
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    EXPECT_EQ(first.ledger().size(), 20U);
    expect_no_mail_suffered(town, 30);
}

// Bug: what MX records said for the configuration of before was kept for their TTL.
TEST(RelayReload, a_route_that_comes_while_dns_is_asked_is_followed) {
    Town town({.limits = {.max_message_rate = kFast}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.zone.delay = seconds{2};
    SimMx& first = town.add_server(1);
    SimMx& second = town.add_server(2);
    town.inject(1);
    town.world.run_for(seconds{1});
    town.relay.reload("", [](CheckedConfig& next) { next.config.routes = everything_to(2); });
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    EXPECT_EQ(second.ledger().size(), 1U);
    EXPECT_TRUE(first.ledger().empty());
    expect_no_mail_suffered(town, 1);
}

// ---- TLS

TEST(RelayReload, a_tls_policy_holds_for_what_is_sent_from_then_on) {
    TlsScene scene(TlsPolicy::none);
    scene.inject(5);
    EXPECT_TRUE(scene.relay->run_until_drained(seconds{5}));
    EXPECT_EQ(scene.world.network().connections_to(kMx), 1U);  // idle, in clear text
    scene.relay->reload("[\"default\"]\ntls = \"verify\"\n");
    scene.inject(5);
    EXPECT_TRUE(scene.relay->run_until_drained(seconds{5}));
    scene.expect_clean();
    ASSERT_EQ(scene.mx.ledger().size(), 10U);
    for (std::size_t i = 0; i < 10; ++i)
        EXPECT_EQ(scene.mx.ledger()[i].encrypted, i >= 5) << i;
}

// A certificate that was good by other roots is no longer, and no resumed session hides that.
TEST(RelayReload, roots_hold_for_connections_from_then_on) {
    const Authority other;
    const core::TlsIdentity theirs = other.issue({.names = {"mx.one.example"}});
    TlsScene scene(TlsPolicy::verify, {}, &theirs);
    scene.expect_deferred("TLS: certificate");
    scene.relay->reload("", [&](CheckedConfig& next) { next.tls_roots = other.roots(); });
    EXPECT_TRUE(scene.relay->run_until_drained(hours{3}));
    scene.inject(1);
    EXPECT_TRUE(scene.relay->run_until_drained(minutes{1}));
    EXPECT_EQ(scene.mx.ledger().size(), 2U);
    // While a connection is open that was made with them.
    scene.relay->reload("", [&](CheckedConfig& next) { next.tls_roots = authority().roots(); });
    scene.inject(1);
    EXPECT_TRUE(scene.relay->run_until_drained(minutes{1}));
    EXPECT_EQ(scene.mx.ledger().size(), 3U);
    const std::size_t resumed = scene.mx.resumed_sessions();
    scene.world.run_for(minutes{2});
    scene.inject(1);
    scene.world.run_for(minutes{2});
    EXPECT_EQ(scene.mx.ledger().size(), 3U);
    EXPECT_EQ(scene.mx.resumed_sessions(), resumed);
    scene.relay->reload("", [&](CheckedConfig& next) { next.tls_roots = other.roots(); });
    EXPECT_TRUE(scene.relay->run_until_drained(hours{3}));
    scene.expect_clean();
}

std::vector<relay::RouteConfig> smarthost(const std::string& password) {
    relay::Smarthost settings;
    settings.tls_name = "mx.one.example";
    settings.username = "mta";
    settings.password = password;
    settings.roots = authority().roots();
    relay::RouteConfig route;
    route.domain = "*";
    route.hosts = {{kMx.ip.to_string(), kMx.port, kMx.ip}};
    route.tls = TlsPolicy::verify;
    route.smarthost = std::make_shared<const relay::Smarthost>(std::move(settings));
    return {route};
}

TEST(RelayReload, what_is_in_the_files_of_a_smarthost_is_used_again) {
    TlsScene scene(TlsPolicy::none, {.auth = "PLAIN", .credentials = "AG10YQBzZWNyZXQ="}, nullptr,
                   smarthost("wrong"));
    scene.inject(3);
    scene.world.run_for(minutes{10});
    EXPECT_TRUE(scene.mx.ledger().empty());
    const auto use = [&scene](const std::string& password) {
        scene.relay->reload("",
                            [&](CheckedConfig& next) { next.config.routes = smarthost(password); });
    };
    use("secret");
    EXPECT_TRUE(scene.relay->run_until_drained(hours{2}));
    const std::size_t sessions = scene.mx.sessions();
    use("secret");  // while a connection with the old ones is idle
    scene.inject(3);
    EXPECT_TRUE(scene.relay->run_until_drained(seconds{5}));
    EXPECT_EQ(scene.mx.sessions(), sessions + 1);
    scene.inject(3);
    scene.world.run_for(milliseconds{3});
    use("secret");  // and while one is busy
    EXPECT_TRUE(scene.relay->run_until_drained(seconds{5}));
    scene.expect_clean();
    EXPECT_EQ(scene.mx.ledger().size(), 9U);
}

// Bug: routes that say nothing of TLS share a path, and it took what one of them said later.
TEST(RelayReload, what_a_route_now_says_of_tls_is_not_for_those_with_the_same_hosts) {
    const auto routes = [](std::optional<TlsPolicy> of_one) {
        relay::RouteConfig one{.domain = "a.example",
                               .hosts = {{kMx.ip.to_string(), kMx.port, kMx.ip}},
                               .tls = of_one};
        relay::RouteConfig other{.domain = "one.example", .hosts = one.hosts};
        return std::vector<relay::RouteConfig>{one, other};
    };
    TlsScene scene(TlsPolicy::none, {}, nullptr, routes(std::nullopt));
    scene.relay->inject(0, {"u@a.example"});
    EXPECT_TRUE(scene.relay->run_until_drained(seconds{5}));
    scene.relay->reload(
        "", [&](CheckedConfig& next) { next.config.routes = routes(TlsPolicy::encrypt); });
    scene.inject(1);
    EXPECT_TRUE(scene.relay->run_until_drained(seconds{5}));
    scene.relay->inject(0, {"u2@a.example"});
    EXPECT_TRUE(scene.relay->run_until_drained(seconds{5}));
    scene.expect_clean();
    ASSERT_EQ(scene.mx.ledger().size(), 3U);
    EXPECT_FALSE(scene.mx.ledger()[1].encrypted);  // of one.example
    EXPECT_TRUE(scene.mx.ledger()[2].encrypted);
}

TEST(RelayReload, the_policy_of_all_reaches_routes_too_when_theirs_are_gone) {
    TlsScene scene(TlsPolicy::none, {}, nullptr,
                   {{.domain = "a.example", .hosts = {{kMx.ip.to_string(), kMx.port, kMx.ip}}},
                    {.domain = "*", .hosts = {{kMx.ip.to_string(), kMx.port, kMx.ip}}}});
    scene.relay->inject(0, {"u@a.example"});
    EXPECT_TRUE(scene.relay->run_until_drained(seconds{5}));
    scene.relay->reload("", [&](CheckedConfig& next) {
        next.config.routes = {{.domain = "*", .hosts = {{kMx.ip.to_string(), kMx.port, kMx.ip}}}};
        next.config.delivery.tls = TlsPolicy::encrypt;
    });
    scene.inject(1);
    EXPECT_TRUE(scene.relay->run_until_drained(seconds{5}));
    ASSERT_EQ(scene.mx.ledger().size(), 2U);
    EXPECT_TRUE(scene.mx.ledger()[1].encrypted);
}

// Bug: it reached new destinations only.
TEST(RelayReload, the_port_of_mx_hosts_is_the_latest) {
    TlsScene scene(TlsPolicy::none);
    scene.second = std::make_unique<SimMx>(scene.world, core::SocketAddress{kMx.ip, 2525},
                                           MxOptions{.name = "mx2"});
    scene.second->start();
    scene.inject(3);
    EXPECT_TRUE(scene.relay->run_until_drained(seconds{5}));
    EXPECT_EQ(scene.mx.ledger().size(), 3U);
    scene.relay->reload("", [](CheckedConfig& next) { next.config.delivery.port = 2525; });
    scene.inject(3);
    EXPECT_TRUE(scene.relay->run_until_drained(seconds{5}));
    scene.expect_clean();
    EXPECT_EQ(scene.second->ledger().size(), 3U);
}

// ---- all at once

TEST(RelayReload, many_times_under_load_with_two_shards) {
    Town town({.limits = {.max_message_rate = {1000, seconds{1}}, .max_connection_rate = kFast}},
              2);
    for (int i = 0; i < 20; ++i)
        town.zone.add_mx("d" + std::to_string(i) + ".example", 10,
                         i % 2 == 0 ? "mx1.example" : "mx2.example");
    town.add_server(1, {.content_delay = milliseconds{20}});
    town.add_server(2);
    std::size_t messages = 0;
    for (int round = 0; round < 50; ++round) {
        for (int i = 0; i < 20; ++i)
            town.inject(4, "d" + std::to_string(i) + ".example");
        messages += 80;
        town.world.run_for(milliseconds{200});
        core::Prng& prng = town.world.prng();
        std::string shaping =
            "[\"default\"]\nconnection_limit = " + std::to_string(1 + prng.below(10)) +
            "\nmax_message_rate = \"" + std::to_string(100 + prng.below(1000)) + "/s\"\n";
        for (int i = 0; i < 20; ++i) {
            if (prng.below(3) > 0) continue;
            shaping += "[\"d" + std::to_string(i) +
                       ".example\"]\nconnection_limit = " + std::to_string(1 + prng.below(4)) +
                       "\n" + (prng.below(2) == 0 ? "pipeline_next = \"off\"\n" : "");
        }
        town.relay.reload(shaping);
    }
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    expect_no_mail_suffered(town, messages);
}

}  // namespace
}  // namespace sim
