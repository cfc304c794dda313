// Fairness: tenants share a path by weight, over all its lanes and whichever shards accepted their
// mail; urgent mail does not wait behind bulk mail. Seen by the receiver, on virtual time.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_town.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const std::string kDomain = "one.example";

relay::TenantPolicy tenant(const std::string& name, unsigned weight,
                           relay::Priority priority = relay::Priority::normal) {
    relay::TenantPolicy policy;
    policy.name = name;
    policy.weight = weight;
    policy.priority = priority;
    return policy;
}

// A recipient "tenant-campaign-priority-17@…" has the labels that its address says.
struct Fair : Town {
    Fair(RelayOptions options, std::size_t shards, MxOptions server)
        : Town(labelled(std::move(options), &table), shards) {
        table = &relay.tenants();
        zone.add_mx(kDomain, 10, "mx1.example");
        add_server(1, std::move(server));
    }
    static RelayOptions labelled(RelayOptions options, relay::TenantTable** known) {
        options.prepare = [known](relay::Message& message) {
            const std::vector<std::string> parts = split(message.recipients.front()->address);
            message.edit_labels() = {&(*known)->intern(parts[0]), parts[1]};
            message.priority = *relay::priority_named(parts[2]);
        };
        return options;
    }
    static std::vector<std::string> split(std::string_view address) {
        std::vector<std::string> parts(1);
        for (const char c : address.substr(0, address.find('@'))) {
            if (c == '-') {
                parts.emplace_back();
            } else {
                parts.back() += c;
            }
        }
        return parts;
    }
    std::string add(std::size_t shard, const std::string& labels) {
        const std::string address = labels + "-" + std::to_string(++injected) + "@" + kDomain;
        relay.inject(shard, {address});
        return address;
    }
    // Of what the server took, from one place in its ledger to another.
    std::map<std::string, double> shares(std::size_t from, std::size_t to) {
        std::map<std::string, double> counts;
        const auto& ledger = servers[0]->ledger();
        for (std::size_t i = from; i < to; ++i)
            counts[split(ledger.at(i).recipient)[0]] += 1.0 / static_cast<double>(to - from);
        return counts;
    }
    void drain() {
        EXPECT_TRUE(relay.run_until_drained(hours{2}));
        expect_clean();
    }

    relay::TenantTable* table = nullptr;
};

RelayOptions wide(std::uint32_t connections = 160) {
    RelayOptions options;
    options.limits.connection_limit = connections;
    options.limits.max_message_rate = {1'000'000, seconds{1}};
    options.limits.max_connection_rate = {1'000'000, seconds{1}};
    return options;
}

class RelayFairness : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(shards, RelayFairness, testing::Values(1, 2, 8),
                         testing::PrintToStringParamName());

// The worst case: the mail of each tenant is on one shard, and the shards have as much of it.
TEST_P(RelayFairness, tenants_share_by_weight_over_all_lanes) {
    RelayOptions options = wide();
    options.tenants = {tenant("a", 5), tenant("b", 2), tenant("c", 1)};
    Fair town(std::move(options), GetParam(), {.content_delay = milliseconds{20}});
    constexpr int kEach = 9000;
    const std::vector<std::string> tenants = {"a", "b", "c"};
    for (int i = 0; i < kEach; ++i) {
        for (std::size_t t = 0; t < tenants.size(); ++t)
            town.add(t % GetParam(), tenants[t] + "-x-normal");
        if (i % 300 == 299) town.world.run_for(milliseconds{10});
    }
    town.drain();
    // From when there are lanes to when the first tenant has no mail left.
    auto share = town.shares(3000, 12'000);
    EXPECT_NEAR(share["a"], 5.0 / 8, 0.05 * 5 / 8);
    EXPECT_NEAR(share["b"], 2.0 / 8, 0.05 * 2 / 8);
    EXPECT_NEAR(share["c"], 1.0 / 8, 0.05 * 1 / 8);
    EXPECT_LE(town.servers[0]->peak_sessions(), 160U);
}

// A service time is what a message has the connection for. One message is being sent, and the
// envelope of another went ahead of it; then comes the urgent one.
TEST_P(RelayFairness, an_urgent_message_behind_bulk_mail_is_on_the_wire_in_two_service_times) {
    std::map<std::string, core::Instant, std::less<>> envelopes;
    MxOptions server{.content_delay = milliseconds{100}};
    server.script = [&envelopes](const Moment& moment) {
        if (moment.stage == Stage::rcpt) envelopes.emplace(moment.argument, moment.now);
        return Verdict{};
    };
    Fair town(wide(1), GetParam(), std::move(server));
    for (int i = 0; i < 20'000; ++i)
        town.add(0, "bulk-x-bulk");
    town.world.run_for(seconds{5});
    core::Duration to_envelope{};
    core::Duration to_end{};
    for (int i = 0; i < 20; ++i) {
        town.world.run_for(milliseconds{1030 + i * 17});
        const core::Instant injected = town.world.shard(0).now();
        const std::string urgent = town.add(GetParam() - 1, "reset-x-urgent");
        town.world.run_for(seconds{2});
        const auto& ledger = town.servers[0]->ledger();
        const auto taken = std::ranges::find(ledger, urgent, &Taken::recipient);
        ASSERT_NE(taken, ledger.end());
        ASSERT_TRUE(envelopes.contains(urgent));
        to_envelope = std::max(to_envelope, envelopes.find(urgent)->second - injected);
        to_end = std::max(to_end, taken->when - injected);
    }
    const auto& times = town.servers[0]->content_times();
    const core::Duration service = (times.back() - times[times.size() - 11]) / 10;
    EXPECT_LE(to_envelope, 2 * service);
    EXPECT_LE(to_end, 3 * service);  // and its own
    EXPECT_LT(service, milliseconds{250});
    EXPECT_TRUE(town.relay.close());
}

TEST_P(RelayFairness, bulk_mail_goes_on_while_urgent_mail_never_ends) {
    Fair town(wide(1), GetParam(), {.content_delay = milliseconds{20}});
    for (int i = 0; i < 3000; ++i)
        town.add(0, "reset-x-urgent");
    for (int i = 0; i < 3000; ++i)
        town.add(0, "news-x-bulk");
    town.drain();
    auto share = town.shares(100, 2600);
    EXPECT_NEAR(share["news"], 1.0 / 21, 0.05 / 21);
}

TEST(RelayFairnessReload, weights_of_a_reload_hold) {
    RelayOptions options = wide(4);
    options.tenants = {tenant("a", 1), tenant("b", 1)};
    Fair town(std::move(options), 1, {.content_delay = milliseconds{20}});
    for (int i = 0; i < 4000; ++i) {
        town.add(0, "a-x-normal");
        town.add(0, "b-x-normal");
    }
    while (town.servers[0]->ledger().size() < 1000)
        town.world.run_for(milliseconds{10});
    EXPECT_NEAR(town.shares(0, 1000)["a"], 0.5, 0.02);
    town.relay.reload("", [](relay::CheckedConfig& next) {
        next.tenants = std::make_shared<const relay::TenantPolicies>(
            std::vector{tenant("a", 4), tenant("b", 1)});
    });
    const std::size_t now = town.servers[0]->ledger().size() + 20;  // those in flight
    town.drain();
    EXPECT_NEAR(town.shares(now, now + 2000)["a"], 0.8, 0.02);
}

TEST(RelayFairnessRetry, a_tenant_has_a_schedule_of_its_own) {
    RelayOptions options;  // [retry]: 20 minutes, then an hour
    options.tenants = {tenant("a", 1)};
    options.tenants[0].retry_intervals = {minutes{5}};
    Fair town(std::move(options), 1, {.greylist_for = minutes{1}});
    const core::Instant begun = town.world.shard(0).now();
    const std::string first = town.add(0, "a-x-normal");
    const std::string other = town.add(0, "b-x-normal");
    town.drain();
    const auto& ledger = town.servers[0]->ledger();
    const auto waited = [&](const std::string& recipient) {
        return std::ranges::find(ledger, recipient, &Taken::recipient)->when - begun;
    };
    EXPECT_GT(waited(first), minutes{4});
    EXPECT_LT(waited(first), minutes{6});
    EXPECT_GT(waited(other), minutes{17});
}

// ---- rates of tenants

relay::TenantPolicy limited(const std::string& name, core::Rate rate) {
    relay::TenantPolicy policy = tenant(name, 1);
    policy.max_message_rate = rate;
    return policy;
}

// Messages of a tenant that the servers took in each second.
std::vector<int> by_second(Fair& town, const std::string& name) {
    std::vector<int> counts(600);
    for (const auto& server : town.servers) {
        const auto& ledger = server->ledger();
        const auto& times = server->content_times();
        for (std::size_t i = 0; i < ledger.size() && i < times.size(); ++i) {
            const auto second = times[i].time_since_epoch() / seconds{1};
            if (Fair::split(ledger[i].recipient)[0] == name && second < 600) {
                ++counts[static_cast<std::size_t>(second)];
            }
        }
    }
    return counts;
}

TEST_P(RelayFairness, the_rate_of_a_tenant_holds_over_all_lanes_and_holds_up_nobody_else) {
    RelayOptions options = wide();
    options.tenants = {limited("slow", {50, seconds{1}}), tenant("fast", 1)};
    Fair town(std::move(options), GetParam(), {.content_delay = milliseconds{5}});
    constexpr int kSlow = 1000;
    constexpr int kFast = 8000;
    for (int i = 0; i < kFast; ++i) {
        if (i < kSlow) town.add(static_cast<std::size_t>(i) % GetParam(), "slow-x-normal");
        town.add(static_cast<std::size_t>(i) % GetParam(), "fast-x-normal");
    }
    town.drain();
    const std::vector<int> slow = by_second(town, "slow");
    for (std::size_t i = 0; i < 18; ++i)  // every window of two seconds, but for the first burst
        EXPECT_NEAR(slow[i] + slow[i + 1], 100, i == 0 ? 8 : 5) << "second " << i;
    const std::vector<int> fast = by_second(town, "fast");
    int early = 0;
    for (std::size_t i = 0; i < 5; ++i)
        early += fast[i];
    EXPECT_EQ(early, kFast) << "it does not wait";
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
    std::uint64_t throttled = 0;
    for (std::size_t i = 0; i < GetParam(); ++i) {
        throttled +=
            town.relay.metrics(i).throttled_count(metrics::Throttle::tenant_message_rate).value();
    }
    EXPECT_GT(throttled, 0U);
}

TEST_P(RelayFairness, tenants_without_a_table_share_the_rate_of_the_default_one) {
    RelayOptions options = wide();
    options.tenants = {limited("default", {20, seconds{1}})};
    Fair town(std::move(options), GetParam(), {.content_delay = milliseconds{5}});
    for (int i = 0; i < 200; ++i) {
        town.add(static_cast<std::size_t>(i) % GetParam(), "a-x-normal");
        town.add(static_cast<std::size_t>(i) % GetParam(), "b-x-normal");
    }
    town.drain();
    const std::vector<int> a = by_second(town, "a");
    const std::vector<int> b = by_second(town, "b");
    for (std::size_t i = 1; i < 18; ++i)
        EXPECT_NEAR(a[i] + b[i], 20, 3) << "second " << i;
}

TEST_P(RelayFairness, a_reload_changes_the_rate_of_a_tenant_and_lets_it_go) {
    RelayOptions options = wide();
    options.tenants = {limited("a", {1, hours{1}})};
    Fair town(std::move(options), GetParam(), {.content_delay = milliseconds{5}});
    for (int i = 0; i < 100; ++i)
        town.add(static_cast<std::size_t>(i) % GetParam(), "a-x-normal");
    town.world.run_for(minutes{1});
    EXPECT_LE(town.servers[0]->ledger().size(), 1U);
    town.relay.reload("", [](relay::CheckedConfig& next) {
        next.tenants = std::make_shared<const relay::TenantPolicies>(
            std::vector<relay::TenantPolicy>{tenant("a", 1)});
    });
    town.world.run_for(minutes{1});
    EXPECT_EQ(town.servers[0]->ledger().size(), 100U);
    town.drain();
}

TEST_P(RelayFairness, mail_that_waits_for_a_rate_leaves_when_its_time_is_over) {
    RelayOptions options = wide();
    options.tenants = {limited("a", {1, hours{100}})};
    options.max_age = hours{1};
    Fair town(std::move(options), GetParam(), {.content_delay = milliseconds{5}});
    for (int i = 0; i < 20; ++i)
        town.add(static_cast<std::size_t>(i) % GetParam(), "a-x-normal");
    town.drain();
    EXPECT_EQ(town.servers[0]->ledger().size(), 1U);
    EXPECT_EQ(town.relay.count("Expiration"), 19U);
}

}  // namespace
}  // namespace sim
