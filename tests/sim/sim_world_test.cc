// The simulation itself: that it is deterministic and does what its header says.
#include "tests/sim/sim_world.h"

#include <string>

#include <gtest/gtest.h>

#include "core/net/connector.h"
#include "core/net/listener.h"

namespace sim {
namespace {

using core::SocketAddress;
using core::Task;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

const SocketAddress kServer{core::IpAddress::v4(0xc6336419), 25};  // 198.51.100.25

LinkPlan ragged_plan() {
    LinkPlan plan;
    plan.ragged = true;
    plan.latency_min = milliseconds{5};
    plan.latency_max = milliseconds{50};
    plan.window = 30'000;
    return plan;
}

// Echoes one connection to its end, with the input backwards in each piece (order is visible).
Task<void> echo_once(core::Listener& listener) {
    auto stream = co_await listener.accept();
    while (true) {
        const auto input = co_await stream->read();
        if (!input || input->empty()) break;
        const std::string piece(*input);
        stream->consume(piece.size());
        const auto written = co_await stream->write(piece);
        if (!written) break;
    }
    co_await stream->close();
}

struct Result {
    bool connected = false;
    std::string heard;
    int read_error = 0;
    int write_error = 0;
};

Task<void> talk(core::Shard& shard, std::string octets, Result& result) {
    auto stream = co_await core::connect(shard, kServer, std::nullopt, shard.now() + seconds{60});
    result.connected = stream.has_value();
    if (!stream) co_return;
    core::ByteStream& line = **stream;
    line.set_deadline(shard.now() + hours{1});
    const auto written = co_await line.write(octets);
    if (!written) result.write_error = written.error().value();
    while (result.heard.size() < octets.size()) {
        const auto input = co_await line.read();
        if (!input) result.read_error = input.error().value();
        if (!input || input->empty()) break;
        result.heard += *input;
        line.consume(input->size());
    }
    co_await line.close();
}

Task<void> open_then(core::Listener& listener, bool& opened) {
    const auto result = listener.open(kServer);
    opened = result.has_value();
    co_await echo_once(listener);
    co_await listener.close();
}

struct EchoRun {
    Result result;
    std::uint64_t hash = 0;
    core::Duration took{};
};

EchoRun echo(std::uint64_t seed, const LinkPlan& plan, const std::string& octets) {
    EchoRun run;
    SimWorld world{seed};
    world.network().set_planner([plan](const Opening&) { return plan; });
    core::Listener listener(world.outside());
    bool opened = false;
    world.spawn(world.outside(), open_then(listener, opened));
    EXPECT_TRUE(world.run(world.shard(), talk(world.shard(), octets, run.result)));
    EXPECT_TRUE(world.run_until([&world] { return world.running_tasks() == 0; }));
    EXPECT_TRUE(opened);
    EXPECT_EQ(world.network().open_handles(), 0U);
    run.hash = world.trace_hash();
    run.took = world.elapsed();
    return run;
}

TEST(SimWorld, the_same_seed_gives_the_same_run_and_another_seed_another) {
    const std::string octets(20'000, 'q');
    const EchoRun first = echo(42, ragged_plan(), octets);
    const EchoRun again = echo(42, ragged_plan(), octets);
    const EchoRun other = echo(43, ragged_plan(), octets);
    EXPECT_TRUE(first.result.heard == octets);
    EXPECT_EQ(first.hash, again.hash);
    EXPECT_EQ(first.took, again.took);
    EXPECT_NE(first.hash, other.hash);
}

TEST(SimWorld, latency_and_bandwidth_take_virtual_time) {
    LinkPlan plan;
    plan.latency_min = plan.latency_max = milliseconds{25};
    const EchoRun quick = echo(1, plan, "ping");
    EXPECT_GE(quick.took, milliseconds{100});  // one round trip to connect, one to talk
    EXPECT_LT(quick.took, milliseconds{200});
    plan.octets_per_second = 1000;
    const EchoRun slow = echo(1, plan, std::string(10'000, 'x'));
    EXPECT_GE(slow.took, seconds{10});
    EXPECT_LT(slow.took, seconds{25});
}

TEST(SimWorld, resets_come_at_the_chosen_octet) {
    for (const std::uint64_t at : {0U, 1U, 17U, 999U}) {
        LinkPlan plan = ragged_plan();
        plan.reset_at_client = at;
        const EchoRun run = echo(at + 1, plan, std::string(1000, 'r'));
        EXPECT_TRUE(run.result.connected);
        EXPECT_EQ(run.result.heard.size(), at);
        EXPECT_EQ(run.result.read_error, ECONNRESET);
        plan = ragged_plan();
        plan.reset_at_server = at;
        const EchoRun other = echo(at + 1, plan, std::string(1000, 'r'));
        EXPECT_LE(other.result.heard.size(), at);
        EXPECT_TRUE(other.result.read_error == ECONNRESET);
    }
}

TEST(SimWorld, refusal_black_hole_and_no_route) {
    const auto attempt = [](ConnectResult how) {
        SimWorld world{1};
        world.network().set_planner([how](const Opening&) {
            LinkPlan plan;
            plan.connect = how;
            return plan;
        });
        Result result;
        EXPECT_TRUE(world.run(world.shard(), talk(world.shard(), "x", result)));
        EXPECT_FALSE(result.connected);
        return world.elapsed();
    };
    EXPECT_LT(attempt(ConnectResult::refuse), seconds{1});
    EXPECT_LT(attempt(ConnectResult::unreachable), seconds{1});
    EXPECT_GE(attempt(ConnectResult::black_hole), seconds{60});
    EXPECT_LT(attempt(ConnectResult::accept), seconds{1});  // nobody listens: refused
}

Task<void> sleep_days(core::Shard& shard, int days) {
    core::Event never(shard.reactor());
    for (int day = 0; day < days; ++day)
        co_await never.wait(shard.now() + hours{24});
}

TEST(SimWorld, days_pass_in_no_time) {
    SimWorld world{1, {.shards = 3}};
    const core::WallTime before = world.clock().wall();
    for (std::size_t i = 0; i < world.shards(); ++i) {
        world.spawn(world.shard(i), sleep_days(world.shard(i), 5));
    }
    EXPECT_TRUE(world.run_until([&world] { return world.running_tasks() == 0; }));
    EXPECT_GE(world.elapsed(), hours{5 * 24});
    EXPECT_LT(world.elapsed(), hours{5 * 24} + seconds{1});
    EXPECT_EQ(world.clock().wall() - before, world.elapsed());
}

TEST(SimWorld, a_run_that_cannot_go_on_says_so) {
    SimWorld world{1};
    bool flag = false;
    core::Event never(world.shard().reactor());
    EXPECT_FALSE(world.run_until([&flag] { return flag; }, hours{24 * 365}));
    EXPECT_EQ(world.elapsed(), hours{24 * 365});
}

struct Relay {
    SimWorld& world;
    std::vector<std::size_t> path;
    void open(std::size_t here) {
        path.push_back(here);
        if (path.size() >= 9) return;
        const std::size_t next = (here + 1) % world.shards();
        world.shard(here).tell(next, [this, next] { open(next); });
    }
};

TEST(SimWorld, letters_travel_between_shards_in_no_time) {
    SimWorld world{5, {.shards = 3}};
    Relay relay{world, {}};
    world.shard(0).tell(1, [&relay] { relay.open(1); });
    EXPECT_TRUE(world.run_until([&relay] { return relay.path.size() == 9; }));
    EXPECT_EQ(relay.path, (std::vector<std::size_t>{1, 2, 0, 1, 2, 0, 1, 2, 0}));
    EXPECT_EQ(world.elapsed(), core::Duration{0});
}

}  // namespace
}  // namespace sim
