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
#include "tests/sim/sim_spool.h"

namespace sim {

// Loops that are made while it is there have no watchdog: what hears of each write reads whole
// disks in the steps of the relay.
class Unwatched {
  public:
    Unwatched() { ::setenv("POSTHASTE_TURN_BUDGET_MS", "0", 1); }
    Unwatched(const Unwatched&) = delete;
    Unwatched& operator=(const Unwatched&) = delete;
    ~Unwatched() { ::unsetenv("POSTHASTE_TURN_BUDGET_MS"); }
};

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

inline RelayOptions quick_retries() {
    RelayOptions options;
    options.intervals = {std::chrono::minutes{3}, std::chrono::minutes{6},
                         std::chrono::minutes{20}};
    return options;
}

inline std::string mailbox(int number, const std::string& domain) {
    return "u" + std::to_string(number) + "@" + domain;
}

inline void expect_clean(SpoolScene& scene) {
    for (const std::string& one : scene.relay->audit(scene.all_servers()))
        ADD_FAILURE() << one;
}

inline std::size_t accepted(const SimRelay& relay) {
    return static_cast<std::size_t>(std::ranges::count_if(
        relay.promises(), [](const auto& entry) { return entry.second.accepted; }));
}

inline std::size_t refused(const SimRelay& relay, relay::Refusal why) {
    return static_cast<std::size_t>(std::ranges::count_if(
        relay.promises(), [why](const auto& entry) { return entry.second.refused == why; }));
}

// Everything accepted is in the spool or was final.
inline void expect_kept(const SimRelay& relay, const SpoolState& state) {
    for (const auto& [recipient, promise] : relay.promises()) {
        if (!promise.accepted) continue;
        const bool final = std::ranges::any_of(relay.events_of(recipient), [](const auto& one) {
            return one.type == "Delivery" || one.type == "Bounce";
        });
        const auto found = state.recipients.find(recipient);
        if (found == state.recipients.end()) {
            EXPECT_TRUE(final) << recipient << " is lost";
        } else {
            EXPECT_TRUE(found->second.readable) << recipient;
            EXPECT_EQ(found->second.content, relay.contents().at(recipient));
        }
    }
}

}  // namespace sim
