// SpoolScene: a relay with a spool on a SimDisk, and three sites: good.example takes all mail (but
// for mailboxes that begin with "no", which it refuses for good), slow.example defers each pair of
// sender and recipient for ten minutes, down.example refuses connections until heal(). For the
// tests of the spool. It closes everything when it ends; the disk outlives it.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_relay.h"

namespace sim {

class SpoolScene {
  public:
    static constexpr std::uint64_t kSegment = 32 << 10;

    explicit SpoolScene(SimDisk& disk, std::uint64_t seed = 1, std::size_t shards = 2,
                        RelayOptions options = {}, core::Duration later = {})
        : world(seed, world_options(disk, shards, later)) {
        add_site("good", 1, {.script = [](const Moment& moment) {
                     const bool unknown =
                         moment.stage == Stage::rcpt && moment.argument.starts_with("no");
                     return unknown ? Verdict{.reply = "550 5.1.1 no such user"} : Verdict{};
                 }});
        add_site("slow", 2, {.greylist_for = std::chrono::minutes{10}});
        add_site("down", 3, {});
        world.network().set_planner([this](const Opening& opening) {
            LinkPlan plan;
            if (!healed_ && opening.server.ip == address(3).ip)
                plan.connect = ConnectResult::refuse;
            return plan;
        });
        options.disk = &disk;
        if (options.segment_size == RelayOptions{}.segment_size) options.segment_size = kSegment;
        relay = std::make_unique<SimRelay>(world, zone, std::move(options));
    }

    ~SpoolScene() {
        const bool closed = relay->close();
        for (const auto& server : servers)
            server->stop();
        const bool stopped = world.run_until(
            [this] {
                return std::ranges::all_of(servers, [](const auto& one) { return one->idle(); });
            },
            std::chrono::hours{1});
        EXPECT_TRUE(closed && stopped) << "seed " << world.seed();
        if (!closed || !stopped) std::abort();  // tasks refer to what would be destroyed
    }

    void heal() { healed_ = true; }
    std::vector<SimMx*> all_servers() const {
        std::vector<SimMx*> all;
        for (const auto& server : servers)
            all.push_back(server.get());
        return all;
    }
    std::size_t taken() const {
        std::size_t count = 0;
        for (const auto& server : servers)
            count += server->ledger().size();
        return count;
    }

    SimWorld world;
    SimZone zone;
    std::vector<std::unique_ptr<SimMx>> servers;
    std::unique_ptr<SimRelay> relay;

  private:
    static WorldOptions world_options(SimDisk& disk, std::size_t shards, core::Duration later) {
        WorldOptions options;
        options.shards = shards;
        options.backend.disk = &disk;
        options.later = later;
        return options;
    }
    static core::SocketAddress address(std::uint32_t number) {
        return {core::IpAddress::v4(0xc6336400U + number), 25};
    }
    void add_site(const std::string& name, std::uint32_t number, MxOptions options) {
        options.name = "mx." + name + ".example";
        zone.add_mx(name + ".example", 10, options.name);
        zone.add_address(options.name, address(number).ip);
        servers.push_back(std::make_unique<SimMx>(world, address(number), std::move(options)));
        servers.back()->start();
    }

    bool healed_ = false;
};

}  // namespace sim
