// TlsScene: one domain in a simulation, one.example, whose mail host (and a second one behind it,
// if the test likes) speaks TLS in whatever way, and a relay with a TLS policy that delivers to it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_relay.h"
#include "tests/unit/core/net/certificates.h"

namespace sim {

inline const core::SocketAddress kMx{core::IpAddress::v4(0xc6336419), 25};      // 198.51.100.25
inline const core::SocketAddress kSecond{core::IpAddress::v4(0xc633641a), 25};  // 198.51.100.26

inline const core::test::Authority& authority() {
    static const core::test::Authority made;
    return made;
}

inline std::unique_ptr<core::TlsContext> server(const core::TlsIdentity& identity) {
    return std::move(*core::TlsContext::server(identity));
}

inline core::TlsIdentity good() {
    return authority().issue({.names = {"mx.one.example"}});
}

// One domain with one server, or a second behind it, whose first speaks TLS as the test likes.
class TlsScene {
  public:
    explicit TlsScene(relay::TlsPolicy policy, MxOptions options = {},
                      const core::TlsIdentity* shows = nullptr,
                      std::vector<relay::RouteConfig> routes = {})
        : world(5),
          policies(world),
          context(server(shows != nullptr ? *shows : good())),
          mx(world, kMx, [&] {
              options.tls = context.get();
              return std::move(options);
          }()) {
        zone.add_mx("one.example", 10, "mx.one.example");
        zone.add_address("mx.one.example", kMx.ip);
        RelayOptions relay_options;
        relay_options.tls = policy;
        relay_options.tls_roots = authority().roots();
        relay_options.routes = std::move(routes);
        relay_options.policies = &policies;
        relay_options.known = &known;
        relay_options.prepare = [this](relay::Message& message) {
            if (prepare) prepare(message);
        };
        relay_options.rules.address_literals = true;
        relay = std::make_unique<SimRelay>(world, zone, std::move(relay_options));
        mx.start();
    }
    ~TlsScene() {
        const bool closed = relay->close();
        mx.stop();
        if (second != nullptr) second->stop();
        const auto idle = [this] { return mx.idle() && (second == nullptr || second->idle()); };
        const bool stopped = world.run_until(idle, std::chrono::hours{1});
        EXPECT_TRUE(closed && stopped);
        EXPECT_EQ(world.network().open_handles(), 0U);
        if (!closed || !stopped) std::abort();  // tasks refer to what would be destroyed
    }
    void add_second(MxOptions options) {
        zone.add_mx("one.example", 20, "mx2.one.example");
        zone.add_address("mx2.one.example", kSecond.ip);
        second = std::make_unique<SimMx>(world, kSecond, std::move(options));
        second->start();
    }
    void inject(int messages) {
        for (int i = 0; i < messages; ++i)
            relay->inject(0, {"u" + std::to_string(++injected) + "@one.example"});
    }
    void expect_clean() {
        std::vector<SimMx*> servers{&mx};
        if (second != nullptr) servers.push_back(second.get());
        for (const std::string& one : relay->audit(servers))
            ADD_FAILURE() << one;
    }
    // Everything is delivered: encrypted or in clear text.
    void expect_delivered(int messages, bool encrypted) {
        inject(messages);
        EXPECT_TRUE(relay->run_until_drained(std::chrono::hours{3}));
        expect_clean();
        EXPECT_EQ(relay->count("Delivery"), static_cast<std::size_t>(injected));
        for (const Taken& taken : mx.ledger())
            EXPECT_EQ(taken.encrypted, encrypted);
    }
    // Everything is delivered by the second server, nothing by the first.
    void expect_the_second_takes(int messages) {
        inject(messages);
        EXPECT_TRUE(relay->run_until_drained(std::chrono::hours{1}));
        expect_clean();
        EXPECT_EQ(second->ledger().size(), static_cast<std::size_t>(messages));
        EXPECT_TRUE(mx.ledger().empty());
    }
    // Nothing leaves; each attempt says why.
    void expect_deferred(const std::string& why) {
        inject(1);
        world.run_for(std::chrono::minutes{15});
        EXPECT_TRUE(mx.ledger().empty());
        ASSERT_GE(relay->count("TransientFailure"), 1U);
        EXPECT_EQ(relay->count("Bounce"), 0U);
        for (const Recorded& one : relay->events()) {
            if (one.type != "TransientFailure") continue;
            EXPECT_NE(one.line.find(why), std::string::npos) << one.line;
            EXPECT_NE(one.line.find(R"("enhanced_code":{"class":4,"subject":7,"detail":5})"),
                      std::string::npos)
                << one.line;
        }
        for (const std::string& one : mx.violations())
            ADD_FAILURE() << one;
    }
    std::uint64_t counted(relay::TlsPolicy policy, metrics::TlsResult result) {
        const auto index = static_cast<std::size_t>(policy) - 1;
        return relay->metrics()
            .destination(0)
            .tls_sessions[index][static_cast<std::size_t>(result)]
            .value();
    }

    SimWorld world;
    SimZone zone;
    SimPolicies policies;
    relay::StsStore known;
    std::function<void(relay::Message&)> prepare;  // of what is injected
    std::unique_ptr<core::TlsContext> context;
    SimMx mx;
    std::unique_ptr<SimMx> second;
    std::unique_ptr<SimRelay> relay;
    int injected = 0;
};

}  // namespace sim
