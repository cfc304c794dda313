// DeliveryScene: what a HostWalk or a Session works with, on one shard of a SimWorld: DNS from a
// table, empty memories of hosts and of TLS, and a site that a test fills. Built by each test.
#pragma once

#include <string>
#include <utility>

#include "core/runtime/event.h"
#include "core/runtime/shard_log.h"
#include "relay/delivery/egress_context.h"
#include "relay/routing/site.h"
#include "tests/sim/sim_world.h"
#include "tests/unit/dns/scripted_resolver.h"

namespace relay {

struct DeliveryScene {
    DeliveryScene() {
        options.ehlo_name = "me.example";
        site.name = "to.example";
    }

    core::Shard& shard() { return world.shard(); }
    core::Instant now() { return shard().now(); }
    void run(core::Task<void> task) { ASSERT_TRUE(world.run(shard(), std::move(task))); }

    // Time passes, and nothing else happens.
    void pass(core::Duration span) { run(wait(&shard(), span)); }
    static core::Task<void> wait(core::Shard* shard, core::Duration span) {
        core::Event never(shard->reactor());
        co_await never.wait(shard->now() + span);
    }

    // A host of the site; without addresses there is no such name.
    void add_mx(std::uint16_t preference, const std::string& host,
                std::initializer_list<std::string> addresses) {
        site.plan.groups.push_back({preference, {host}});
        if (addresses.size() > 0) resolver.addresses(host, addresses);
    }

    sim::SimWorld world{1};
    dns::ScriptedResolver resolver{world.shard()};
    dns::RoutingRules rules;
    EgressOptions options;
    Exchange exchange{1};
    metrics::ShardMetrics metrics;
    EgressTls tls{world.shard(), nullptr};
    HostMemory hosts;
    core::ShardLog log{world.shard().reactor(), {}, [](core::LogLevel, std::string_view) {}};
    EgressContext context{.shard = world.shard(),
                          .options = options,
                          .resolver = resolver,
                          .rules = rules,
                          .route_rules = rules,
                          .exchange = exchange,
                          .metrics = metrics,
                          .tls = tls,
                          .hosts = hosts,
                          .log = &log};
    SiteFacts site;
};

}  // namespace relay
