// Lanes: the shards that serve one destination share its limits and its mail. No limit is exceeded
// whatever the number of shards, mail stays on the shard that accepted it, and when one shard has
// accepted all of it, the others help.
#include <algorithm>
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

RelayOptions fast(std::uint32_t connections = 160) {
    RelayOptions options;
    options.limits.connection_limit = connections;
    options.limits.max_message_rate = {1'000'000, seconds{1}};
    options.limits.max_connection_rate = {1'000'000, seconds{1}};
    return options;
}

struct Lanes : Town {
    explicit Lanes(std::size_t shards, RelayOptions options = fast(), int destinations = 1)
        : Town(std::move(options), shards) {
        for (int i = 0; i < destinations; ++i) {
            zone.add_mx(domain(i), 10, "mx" + std::to_string(i + 1) + ".example");
            add_server(i + 1, {.content_delay = milliseconds{20}});
        }
    }
    static std::string domain(int i) { return "d" + std::to_string(i) + ".example"; }

    // `each` messages on each of the shards, a few at a time: 1 every `pace`.
    void inject_evenly(int each, core::Duration pace, int destinations = 1) {
        for (int i = 0; i < each; ++i) {
            for (std::size_t shard = 0; shard < world.shards(); ++shard) {
                const int to = (i + static_cast<int>(shard)) % destinations;
                relay.inject(shard, {"u" + std::to_string(++injected) + "@" + domain(to)});
            }
            world.run_for(pace);
        }
    }
    std::uint64_t letters() {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < world.shards(); ++i)
            sum += world.shard(i).letters_sent();
        return sum;
    }
    std::vector<std::uint64_t> carried() {
        std::vector<std::uint64_t> all;
        for (std::size_t i = 0; i < world.shards(); ++i)
            all.push_back(relay.metrics(i).engine().transactions.value());
        return all;
    }
    void drain() {
        EXPECT_TRUE(relay.run_until_drained(hours{1}));
        expect_clean();
    }
};

class RelayLanes : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(shards, RelayLanes, testing::Values(2, 8, 16),
                         testing::PrintToStringParamName());

TEST_P(RelayLanes, mail_to_a_busy_destination_stays_where_it_was_accepted) {
    Lanes town(GetParam());
    // With 16 shards it is 0.102 for 3,000 each: until the window is open mail goes to its home.
    constexpr int kEach = 4000;
    town.inject_evenly(kEach, milliseconds{1});
    town.drain();
    const double messages = kEach * static_cast<double>(GetParam());
    EXPECT_LE(static_cast<double>(town.letters()) / messages, 0.1);
    for (const std::uint64_t carried : town.carried()) {
        EXPECT_GE(static_cast<double>(carried), 0.9 * kEach);
        EXPECT_LE(static_cast<double>(carried), 1.1 * kEach);
    }
    EXPECT_LE(town.servers[0]->peak_sessions(), 160U);
}

TEST_P(RelayLanes, mail_to_a_hundred_destinations_stays_where_it_was_accepted) {
    constexpr int kDestinations = 100;
    Lanes town(GetParam(), fast(32), kDestinations);
    const auto pace = std::chrono::microseconds{250};
    town.inject_evenly(kDestinations * 20, pace, kDestinations);  // lanes open
    const std::uint64_t before = town.letters();
    const int each = 40'000 / static_cast<int>(GetParam());
    town.inject_evenly(each, pace, kDestinations);
    const double messages = each * static_cast<double>(GetParam());
    EXPECT_LE(static_cast<double>(town.letters() - before) / messages, 0.1);
    town.drain();
}

TEST_P(RelayLanes, the_others_help_when_one_shard_accepted_all) {
    Lanes town(GetParam());
    constexpr int kMessages = 40'000;
    for (int i = 0; i < kMessages; ++i) {
        town.relay.inject(0, {"u" + std::to_string(i) + "@" + Lanes::domain(0)});
        if (i % 400 == 399) town.world.run_for(milliseconds{10});
    }
    town.drain();
    const double mean = kMessages / static_cast<double>(GetParam());
    for (const std::uint64_t carried : town.carried())
        EXPECT_LE(static_cast<double>(carried), 1.5 * mean);
    EXPECT_LE(static_cast<double>(town.letters()) / kMessages, 0.5);
    EXPECT_LE(town.servers[0]->peak_sessions(), 160U);
}

// As the server counts them: in every second, over all lanes, also while shares move about.
TEST_P(RelayLanes, the_rate_of_messages_holds_over_all_lanes) {
    RelayOptions options = fast();
    options.limits.max_message_rate = {4000, seconds{1}};
    Lanes town(GetParam(), std::move(options));
    for (int burst = 0; burst < 20; ++burst) {
        const std::size_t busy = static_cast<std::size_t>(burst * 7) % town.world.shards();
        for (int i = 0; i < 1000; ++i) {
            const std::size_t shard = i % 4 == 0 ? static_cast<std::size_t>(i) % GetParam() : busy;
            town.relay.inject(shard, {"u" + std::to_string(++town.injected) + "@d0.example"});
        }
        town.world.run_for(milliseconds{150});
    }
    town.drain();
    const auto& times = town.servers[0]->content_times();
    ASSERT_EQ(times.size(), 20'000U);
    std::vector<core::Instant> sorted(times);
    std::ranges::sort(sorted);
    std::size_t first = 0;
    std::size_t most = 0;
    for (std::size_t last = 0; last < sorted.size(); ++last) {
        while (sorted[last] - sorted[first] >= seconds{1})
            ++first;
        most = std::max(most, last - first + 1);
    }
    // What may come at once after a quiet time (50 ms worth), and one more for each lane.
    EXPECT_LE(most, 4000 + 200 + GetParam());
}

TEST_P(RelayLanes, a_small_destination_sees_few_connections) {
    Lanes town(GetParam());
    for (int i = 0; i < 60; ++i) {
        town.relay.inject(static_cast<std::size_t>(i) % GetParam(),
                          {"u" + std::to_string(i) + "@" + Lanes::domain(0)});
        town.world.run_for(milliseconds{200});
    }
    town.drain();
    EXPECT_LE(town.servers[0]->peak_sessions(), 2U);
    std::size_t busy = 0;
    for (const std::uint64_t carried : town.carried())
        busy += carried > 0 ? 1 : 0;
    EXPECT_EQ(busy, 1U) << "its home alone serves it";
}

// A lane whose mail is gone gives its places back, and the home has all of them again.
TEST_P(RelayLanes, a_lane_without_mail_gives_its_places_back) {
    Lanes town(GetParam(), fast(32));
    town.inject_evenly(500, milliseconds{1});
    town.drain();
    town.world.run_for(minutes{10});
    const std::size_t before = town.servers[0]->content_times().size();
    for (std::size_t shard = 0; shard < GetParam(); ++shard) {
        for (int i = 0; i < 8; ++i)
            town.relay.inject(shard, {"v" + std::to_string(++town.injected) + "@d0.example"});
    }
    town.drain();
    EXPECT_EQ(town.servers[0]->content_times().size(), before + 8 * GetParam());
}

// The server is down for some minutes in the middle: all is delivered once it is back, once.
TEST_P(RelayLanes, an_outage_ends_in_every_lane) {
    Lanes town(GetParam());
    town.inject_evenly(300, milliseconds{1});
    town.servers[0]->options().script = [](const Moment& moment) {
        return moment.stage == Stage::greeting ? Verdict{.reply = "421 4.3.2 down"} : Verdict{};
    };
    town.servers[0]->options().close_after = 1;
    town.inject_evenly(300, milliseconds{1});
    town.world.run_for(minutes{3});
    town.servers[0]->options().script = {};
    town.servers[0]->options().close_after = 0;
    town.inject_evenly(300, milliseconds{1});
    town.drain();
}

// Of two connections the server refuses one: a sample for whoever opened it, no reason to defer
// mail while others work.
TEST_P(RelayLanes, a_failed_connection_of_a_lane_is_no_outage_while_others_work) {
    Lanes town(GetParam());
    town.inject_evenly(300, milliseconds{1});
    std::size_t greeted = 0;
    town.servers[0]->options().script = [&greeted](const Moment& moment) {
        const bool refused = moment.stage == Stage::greeting && ++greeted % 2 == 0;
        return refused ? Verdict{.reply = "421 4.3.2 busy"} : Verdict{};
    };
    town.world.run_for(minutes{1});  // connections end, and new ones are needed
    town.inject_evenly(1000, milliseconds{1});
    town.servers[0]->options().script = {};
    town.drain();
    EXPECT_EQ(town.relay.count("TransientFailure"), 0U);
}

// The limit was lowered, surplus connections still carry what they have begun, and then others ask
// for a share.
TEST_P(RelayLanes, sharing_begins_after_a_reload_has_come_into_force) {
    Lanes town(GetParam());
    town.servers[0]->options().content_delay = seconds{5};
    for (int i = 0; i < 200; ++i)
        town.relay.inject(0, {"u" + std::to_string(++town.injected) + "@d0.example"});
    town.world.run_for(seconds{1});
    town.relay.reload(
        "[\"d0.example\"]\nconnection_limit = 16\n"
        "max_message_rate = \"1000000/s\"\nmax_connection_rate = \"1000000/s\"\n");
    for (std::size_t shard = 0; shard < GetParam(); ++shard) {
        for (int i = 0; i < 600; ++i)
            town.relay.inject(shard, {"u" + std::to_string(++town.injected) + "@d0.example"});
    }
    town.world.run_for(seconds{3});
    town.servers[0]->options().content_delay = {};
    town.drain();
}

// Limits that are too small to be shared are kept by the home, as ever.
TEST_P(RelayLanes, a_small_limit_is_not_shared) {
    Lanes town(GetParam(), fast(1));
    town.inject_evenly(200, milliseconds{1});
    town.drain();
    EXPECT_EQ(town.servers[0]->peak_sessions(), 1U);
}

// A reload lowers the limit while lanes are busy; another raises it.
TEST_P(RelayLanes, a_reload_lowers_the_limit_of_all_lanes) {
    Lanes town(GetParam());
    town.inject_evenly(300, milliseconds{1});
    town.relay.reload(
        "[\"d0.example\"]\nconnection_limit = 16\n"
        "max_message_rate = \"1000000/s\"\nmax_connection_rate = \"1000000/s\"\n");
    town.inject_evenly(300, milliseconds{1});
    town.world.run_for(seconds{2});
    town.drain();
}

}  // namespace
}  // namespace sim
