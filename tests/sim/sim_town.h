// Town: a relay, a zone and any number of servers, for scenes with more than one of them. Server N
// is mxN.example at address_of(N). One thread, virtual time. The world is run to its end when the
// town goes; a relay or server that does not come to an end fails the test.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_relay.h"

namespace sim {

inline core::SocketAddress address_of(int number) {
    return {core::IpAddress::v4(0xc6336400U + static_cast<std::uint32_t>(number)), 25};
}

class Town {
  public:
    explicit Town(RelayOptions options = {}, std::size_t shards = 1, BackendOptions backend = {})
        : world(1, {.shards = shards, .backend = backend}),
          relay(world, zone, std::move(options)) {}
    ~Town() {
        const bool closed = relay.closed() || relay.close();
        std::vector<SimMx*> all;
        for (auto& server : servers) {
            server->stop();
            all.push_back(server.get());
        }
        const bool stopped = world.run_until(
            [&all] { return std::ranges::all_of(all, [](SimMx* one) { return one->idle(); }); },
            std::chrono::hours{1});
        EXPECT_TRUE(closed && stopped);
        if (!closed || !stopped) std::abort();  // tasks refer to what would be destroyed
        EXPECT_EQ(world.network().open_handles(), 0U);
    }
    SimMx& add_server(int number, MxOptions options = {}) {
        options.name = "mx" + std::to_string(number) + ".example";
        zone.add_address(options.name, address_of(number).ip);
        servers.push_back(std::make_unique<SimMx>(world, address_of(number), options));
        servers.back()->start();
        return *servers.back();
    }
    void inject(int messages, const std::string& domain = "one.example") {
        for (int i = 0; i < messages; ++i) {
            const std::size_t shard = static_cast<std::size_t>(i) % world.shards();
            relay.inject(shard, {"u" + std::to_string(++injected) + "@" + domain});
        }
    }
    void expect_clean() {
        std::vector<SimMx*> all;
        for (auto& server : servers)
            all.push_back(server.get());
        for (const std::string& one : relay.audit(all))
            ADD_FAILURE() << one;
    }

    SimWorld world;
    SimZone zone;
    SimRelay relay;
    std::vector<std::unique_ptr<SimMx>> servers;
    int injected = 0;
};

inline LinkPlan plan_of(ConnectResult result) {
    LinkPlan plan;
    plan.connect = result;
    return plan;
}

}  // namespace sim
