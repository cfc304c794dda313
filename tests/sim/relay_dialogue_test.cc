// The whole relay against one scripted server: what happens to mail when a dialogue goes wrong at
// any point, and what the relay does about it over hours and days of virtual time.
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/sim_relay.h"

namespace sim {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const core::SocketAddress kMx{core::IpAddress::v4(0xc6336419), 25};  // 198.51.100.25

// One domain, one server, one relay.
class Scene {
  public:
    explicit Scene(MxOptions mx_options = {}, RelayOptions relay_options = {},
                   std::uint64_t seed = 1, std::size_t shards = 1)
        : world(seed, {.shards = shards}), mx(world, kMx, std::move(mx_options)) {
        zone.add_mx("one.example", 10, "mx.one.example");
        zone.add_address("mx.one.example", kMx.ip);
        relay = std::make_unique<SimRelay>(world, zone, std::move(relay_options));
        mx.start();
    }
    ~Scene() {
        const bool closed = relay->close();
        mx.stop();
        const bool stopped = world.run_until([this] { return mx.idle(); }, hours{1});
        EXPECT_TRUE(closed) << "seed " << world.seed();
        EXPECT_TRUE(stopped) << "seed " << world.seed();
        EXPECT_EQ(world.network().open_handles(), 0U);
        if (!closed || !stopped) std::abort();  // tasks refer to what would be destroyed
    }
    void inject(int messages, int first = 1) {
        for (int i = first; i < first + messages; ++i) {
            relay->inject(static_cast<std::size_t>(i) % world.shards(), {address(i)});
        }
    }
    static std::string address(int number) { return "u" + std::to_string(number) + "@one.example"; }
    void expect_clean() {
        const auto wrong = relay->audit({&mx});
        for (const std::string& one : wrong)
            ADD_FAILURE() << one;
    }

    SimWorld world;
    SimZone zone;
    SimMx mx;
    std::unique_ptr<SimRelay> relay;
};

TEST(RelayDialogue, delivers_in_next_mode_in_one_group_per_message) {
    Scene scene;
    scene.inject(20);
    EXPECT_TRUE(scene.relay->run_until_drained(minutes{10}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 20U);
    EXPECT_EQ(scene.relay->count("TransientFailure"), 0U);
    EXPECT_GT(scene.mx.pipelined_groups(), 0U);
}

}  // namespace
}  // namespace sim
