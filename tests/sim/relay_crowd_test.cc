// Crowds: many domains, silent name servers, and a site with many waiting that fails. Nobody else
// waits for them, no step of the loop handles more than a slice, and the end comes in time.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/runtime/slices.h"
#include "tests/sim/sim_town.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::vector<std::string> recipients_below(const std::string& end, int count, int first = 0) {
    std::vector<std::string> all;
    for (int i = first; i < first + count; ++i)
        all.push_back("u@d" + std::to_string(i) + end);
    return all;
}

RelayOptions with_lanes(RelayOptions options = {}) {
    options.cached_dns = true;
    return options;
}

void add_good(Town& town) {
    town.zone.add_mx("good.example", 10, "mx1.example");
    town.add_server(1);
}

// How long one message to the good domain takes from now on.
core::Duration time_of_good_mail(Town& town) {
    const core::Duration begin = town.world.elapsed();
    const std::size_t before = town.servers.front()->ledger().size();
    town.inject(1, "good.example");
    EXPECT_TRUE(town.world.run_until([&] { return town.servers.front()->ledger().size() > before; },
                                     hours{1}));
    return town.world.elapsed() - begin;
}

// ---- silent name servers

// M3: two thousand domains, each in a message of its own, then a good one.
TEST(RelayCrowd, silent_domains_do_not_delay_a_good_one) {
    Town town(with_lanes());
    town.zone.silent_below = ".silent.example";
    add_good(town);
    for (const std::string& recipient : recipients_below(".silent.example", 2000))
        town.relay.inject(0, {recipient});
    EXPECT_LT(time_of_good_mail(town), milliseconds{2500});
    town.world.run_for(seconds{5});  // the slow lane is full now
    town.zone.add_mx("other.example", 10, "mx1.example");
    const core::Duration begin = town.world.elapsed();
    town.inject(1, "other.example");
    EXPECT_TRUE(town.world.run_until([&] { return town.servers[0]->ledger().size() == 2; }));
    EXPECT_LT(town.world.elapsed() - begin, seconds{1});
    // All of them are tried again later, none is lost.
    town.world.run_for(minutes{1});
    EXPECT_EQ(town.relay.count("TransientFailure"), 2000U);
    EXPECT_EQ(town.relay.count("Bounce"), 0U);
}

// M3: the same where MX answers, and then the hosts' addresses or the policy's record are silent.
TEST(RelayCrowd, silent_addresses_do_not_delay_a_good_one) {
    Town town(with_lanes());
    town.zone.silent_below = ".silent.example";
    town.zone.silent_type = dns::RecordType::a;
    add_good(town);
    for (int i = 0; i < 1000; ++i) {
        const std::string domain = "d" + std::to_string(i) + ".silent.example";
        town.zone.add_mx(domain, 10, "mx." + domain);
        town.relay.inject(0, {"u@" + domain});
    }
    EXPECT_LT(time_of_good_mail(town), milliseconds{3000});
}

core::Task<void> ask_policy(relay::MtaSts& sts, std::string domain, int& done) {
    (void)co_await sts.policy_for(std::move(domain));
    ++done;
}

// M3: policy hosts that take a connection and say nothing. One after the other would take hours.
TEST(RelayCrowd, silent_policy_hosts_do_not_delay_a_good_one) {
    SimWorld world(1);
    SimZone zone;
    SimDns dns(world.shard(), zone);
    SimPolicies policies(world);
    policies.silent_below = ".silent.example";
    policies.files["good.example"] = "version: STSv1\nmode: none\nmax_age: 86400\n";
    relay::StsStore store;
    relay::MtaSts sts(world.shard(), dns, policies, store);
    int silent = 0;
    int good = 0;
    for (int i = 0; i < 500; ++i) {
        const std::string domain = "d" + std::to_string(i) + ".silent.example";
        zone.add_txt("_mta-sts." + domain, "v=STSv1; id=1;");
        world.spawn(world.shard(), ask_policy(sts, domain, silent));
    }
    zone.add_txt("_mta-sts.good.example", "v=STSv1; id=1;");
    const core::Duration begin = world.elapsed();
    world.spawn(world.shard(), ask_policy(sts, "good.example", good));
    EXPECT_TRUE(world.run_until([&] { return good == 1; }, hours{1}));
    EXPECT_LT(world.elapsed() - begin, seconds{10});
    // The silent ones: some had their minute, for the others there was no place to wait in.
    EXPECT_TRUE(world.run_until([&] { return silent == 500; }, minutes{11}));
    EXPECT_TRUE(world.run(world.shard(), sts.close()));
}

// ---- many domains

// H1: one message for many domains whose servers are silent. A message beside it is not held up,
// what waits is bounded and counted, and the end comes in time.
TEST(RelayCrowd, a_message_for_many_silent_domains_leaves_others_alone) {
    constexpr int kDomains = 20'000;
    Town town(with_lanes());
    town.zone.silent_below = ".silent.example";
    add_good(town);
    town.relay.inject(0, recipients_below(".silent.example", kDomains));
    town.world.run_for(milliseconds{100});
    const relay::Router& router = town.relay.router();
    EXPECT_EQ(router.resolving(), relay::Router::kMostResolving);
    EXPECT_GE(router.memory(), kDomains * relay::DomainTable::kDomainOctets);
    EXPECT_LT(time_of_good_mail(town), seconds{4});
    EXPECT_GT(router.waiting(), 0U);
    const core::Duration begin = town.world.elapsed();
    EXPECT_TRUE(town.relay.close(seconds{10}));  // SIGTERM
    EXPECT_LT(town.world.elapsed() - begin, seconds{11});
}

// H1: a relay that forgets idle domains and sites as it goes delivers to all of them.
TEST(RelayCrowd, more_domains_than_are_remembered_are_all_served) {
    constexpr std::size_t kMemory = 8 << 20;  // of which domains that are idle get a sixteenth
    constexpr std::size_t kIdle = kMemory / 16 / relay::DomainTable::kDomainOctets;
    Town town(with_lanes({.memory_limit = kMemory}));
    town.add_server(1);
    for (int i = 0; i < 4000; ++i)
        town.zone.add_mx("d" + std::to_string(i) + ".example", 10, "mx1.example");
    for (int i = 0; i < 4000; i += 500)
        town.relay.inject(0, recipients_below(".example", 500, i));
    EXPECT_TRUE(town.relay.run_until_drained(hours{2}));
    town.expect_clean();
    EXPECT_LE(town.relay.router().domains(), kIdle);
}

// ---- slices

std::int64_t ready(Town& town) {
    return town.relay.metrics().queue(metrics::Queue::ready).value();
}

// Lets the world go on until nothing is ready any more; the most that left in one step.
std::int64_t most_in_a_step(Town& town) {
    std::int64_t most = 0;
    std::int64_t before = ready(town);
    EXPECT_TRUE(town.world.run_until(
        [&] {
            most = std::max(most, before - ready(town));
            before = ready(town);
            return before == 0;
        },
        hours{24}));
    return most;
}

// M7: all that waits for a site that fails goes home, in slices.
TEST(RelayCrowd, a_site_with_many_waiting_fails_in_slices) {
    constexpr int kWaiting = 5000;
    Town town;
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1);
    town.world.network().set_planner(
        [](const Opening&) { return plan_of(ConnectResult::black_hole); });
    std::vector<std::string> all;
    for (int i = 0; i < kWaiting; ++i)
        all.push_back("u" + std::to_string(i) + "@one.example");
    town.relay.inject(0, all);
    EXPECT_TRUE(town.world.run_until([&] { return ready(town) == kWaiting; }));
    EXPECT_LE(most_in_a_step(town), static_cast<std::int64_t>(core::kSlice));
    EXPECT_EQ(town.relay.count("TransientFailure"), static_cast<std::size_t>(kWaiting));
    town.world.network().set_planner({});
    EXPECT_TRUE(town.relay.run_until_drained(hours{24}));
    town.expect_clean();
}

// M7: what becomes too old at once leaves in slices, and nothing of it is sent.
TEST(RelayCrowd, many_that_expire_at_once_leave_in_slices) {
    constexpr int kWaiting = 3000;
    Town town({.limits = {.max_message_rate = {1, hours{1}}}, .max_age = hours{2}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    SimMx& server = town.add_server(1);
    for (int i = 0; i < kWaiting; i += 500) {
        std::vector<std::string> some;
        for (int j = i; j < i + 500; ++j)
            some.push_back("u" + std::to_string(j) + "@one.example");
        town.relay.inject(0, some);
    }
    town.world.run_for(minutes{90});
    EXPECT_GT(ready(town), kWaiting - 500);
    EXPECT_LE(most_in_a_step(town), static_cast<std::int64_t>(core::kSlice));
    EXPECT_EQ(town.relay.count("Expiration") + server.ledger().size(),
              static_cast<std::size_t>(kWaiting));
}

// M7: SIGTERM while many wait: they go home untried, and the end comes in time.
TEST(RelayCrowd, the_end_comes_in_time_with_many_waiting) {
    constexpr int kWaiting = 5000;
    Town town(with_lanes({.limits = {.max_message_rate = {1, hours{1}}}}));
    add_good(town);
    std::vector<std::string> all;
    for (int i = 0; i < kWaiting; ++i)
        all.push_back("u" + std::to_string(i) + "@good.example");
    town.relay.inject(0, all);
    EXPECT_TRUE(town.world.run_until([&] { return ready(town) > kWaiting - 200; }));
    EXPECT_TRUE(town.relay.close(seconds{10}));
    EXPECT_EQ(ready(town), 0);
}

// M7: SIGTERM in the middle of that: who was not told of goes home untried, which costs little.
TEST(RelayCrowd, the_end_leaves_the_rest_of_a_failed_site_untried) {
    constexpr int kWaiting = 5000;
    Town town(with_lanes());
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1);
    town.world.network().set_planner(
        [](const Opening&) { return plan_of(ConnectResult::black_hole); });
    std::vector<std::string> all;
    for (int i = 0; i < kWaiting; ++i)
        all.push_back("u" + std::to_string(i) + "@one.example");
    town.relay.inject(0, all);
    EXPECT_TRUE(town.world.run_until([&] { return ready(town) == kWaiting; }));
    EXPECT_TRUE(town.world.run_until([&] { return ready(town) < kWaiting; }, hours{1}));
    EXPECT_TRUE(town.relay.close(seconds{10}));
    EXPECT_EQ(ready(town), 0);
    const std::size_t told = town.relay.count("TransientFailure");
    EXPECT_GT(told, 0U);
    EXPECT_LT(told, 4 * core::kSlice);
    town.world.network().set_planner({});
}

// M7: what waits does so for a site that lets no connection be opened, in each way there is:
// nothing is in flight, so the end does not wait for its deadline.
TEST(RelayCrowd, connections_that_are_only_being_opened_do_not_hold_up_the_end) {
    for (const bool silent : {false, true}) {
        Town town(with_lanes());
        town.zone.add_mx("one.example", 10, "mx1.example");
        town.add_server(
            1, {.script = [](const Moment& moment) {
                const bool greets = moment.stage == Stage::greeting;
                return Verdict{.ending = greets ? Verdict::Ending::stall : Verdict::Ending::none};
            }});
        if (!silent) {
            town.world.network().set_planner(
                [](const Opening&) { return plan_of(ConnectResult::black_hole); });
        }
        town.inject(300, "one.example");
        town.world.run_for(seconds{2});
        EXPECT_EQ(ready(town), 300);
        const core::Duration begin = town.world.elapsed();
        EXPECT_TRUE(town.relay.close(seconds{10}));
        EXPECT_LT(town.world.elapsed() - begin, seconds{1}) << silent;
        EXPECT_EQ(ready(town), 0);
        town.world.network().set_planner({});
    }
}

// U8: what the line of the log about the queue names: mail that waits, and mail that is deferred.
TEST(RelayCrowd, the_sites_that_hold_up_most_are_known) {
    Town town({.limits = {.max_message_rate = {1, hours{1}}}, .intervals = {seconds{40}}});
    const std::vector<int> messages = {20, 5, 40, 10};
    for (int i = 1; i <= 4; ++i) {
        const std::string domain = "d" + std::to_string(i) + ".example";
        town.zone.add_mx(domain, 10, "mx" + std::to_string(i) + ".example");
        town.add_server(i);
        town.inject(messages.at(static_cast<std::size_t>(i) - 1), domain);
    }
    town.world.network().set_planner([](const Opening& opening) {
        return plan_of(opening.server == address_of(4) ? ConnectResult::refuse
                                                       : ConnectResult::accept);
    });
    town.world.run_for(seconds{65});
    const std::vector<relay::SiteBacklog> most = town.relay.largest().get();
    ASSERT_EQ(most.size(), 3U);
    EXPECT_EQ(most[0], (relay::SiteBacklog{"mx3.example", 39}));
    EXPECT_EQ(most[1].site, "mx4.example");  // refused: all are deferred, again and again
    EXPECT_GE(most[1].recipients, 10U);
    EXPECT_EQ(most[2].site, "mx1.example");
}

// A reload reaches every path, however many there are.
TEST(RelayCrowd, a_reload_reaches_every_path) {
    constexpr std::size_t kPaths = 300;
    Town town({.limits = {.max_message_rate = {1, hours{10}}}});
    town.add_server(1);
    for (std::size_t i = 0; i < kPaths; ++i) {
        // Sites that differ, with one host that works.
        const std::string domain = "d" + std::to_string(i) + ".example";
        town.zone.add_mx(domain, 10, "mx1.example");
        town.zone.add_mx(domain, 20, "no" + std::to_string(i) + ".example");
        town.inject(2, domain);
    }
    town.world.run_for(minutes{5});
    EXPECT_EQ(town.servers[0]->ledger().size(), kPaths);
    town.relay.reload("[\"default\"]\nmax_message_rate = \"1000/s\"\n");
    EXPECT_TRUE(town.relay.run_until_drained(minutes{10}));
    EXPECT_EQ(town.servers[0]->ledger().size(), 2 * kPaths);
}

}  // namespace
}  // namespace sim
