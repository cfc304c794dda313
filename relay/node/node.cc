#include "relay/node/node.h"

#include <algorithm>
#include <utility>

#include "metrics/exposition.h"

namespace relay {

namespace {

constexpr core::Duration kStepPoll = std::chrono::milliseconds{1};  // only while starting, stopping

// RFC 5321 section 5.1: hosts that are ourselves. Wildcards and loopback say nothing about that.
dns::RoutingRules rules_of(const Config& config, bool for_mx) {
    dns::RoutingRules rules;
    if (!for_mx) return rules;
    rules.prohibited = config.delivery.prohibited_hosts;
    rules.own_names.push_back(config.node.hostname);
    const core::IpNetwork loopback = *core::IpNetwork::parse("127.0.0.0/8");
    for (const ListenerConfig& listener : config.listeners) {
        for (const core::SocketAddress& address : listener.addresses) {
            const bool any =
                address.ip == core::IpAddress{} || address.ip == *core::IpAddress::parse("::");
            const bool local =
                loopback.contains(address.ip) || address.ip == *core::IpAddress::parse("::1");
            if (!any && !local) rules.own_addresses.push_back(address.ip);
        }
    }
    return rules;
}

// A site that failed is asked again no later than its mail is due by [retry].
EgressOptions egress_of(const Config& config) {
    EgressOptions options{.ehlo_name = config.node.hostname, .max_age = config.retry.max_age};
    options.longest_pause = std::min(options.longest_pause, config.retry.intervals.front());
    options.first_pause = std::min(options.first_pause, options.longest_pause);
    return options;
}

}  // namespace

Node::Node(CheckedConfig checked, std::size_t shards, std::unique_ptr<EventLog> log)
    : config(std::move(checked.config)),
      shaping(std::move(checked.shaping)),
      bounce(std::move(checked.bounce)),
      tls_roots(std::move(checked.tls_roots)),
      shard_count(shards),
      events(std::move(log)),
      schedule(config.retry.intervals, config.retry.max_age),
      rules(rules_of(config, true)),
      route_rules(rules_of(config, false)),
      egress(egress_of(config)),
      memory_limit(relay::memory_limit(config.memory)),
      exchange(shards),
      liveness(shards),
      addresses(config.listeners.size()),
      stop_events(shards, nullptr) {
    for (std::size_t i = 0; i < shards; ++i) {
        metrics.push_back(std::make_unique<metrics::ShardMetrics>(shaping.provider_names().size()));
    }
    for (const ListenerConfig& listener : config.listeners) {
        admissions.push_back(std::make_shared<Admission>(listener.allow, listener.max_connections));
    }
}

core::Task<void> Node::arrive(core::Shard& shard, Step step) {
    auto& count = arrived_[static_cast<std::size_t>(step)];
    count.fetch_add(1);
    core::Event never(shard.reactor());
    while (count.load() < shard_count)
        co_await never.wait(shard.now() + kStepPoll);
}

void Node::fail(const std::string& sentence) {
    const std::scoped_lock lock(mutex_);
    if (failure_.empty()) failure_ = sentence;
    failed_.store(true);
}

std::string Node::failure() {
    const std::scoped_lock lock(mutex_);
    return failure_;
}

std::string Node::metrics_text(core::WallTime now) const {
    std::vector<const metrics::ShardMetrics*> shards;
    shards.reserve(metrics.size());
    for (const auto& one : metrics)
        shards.push_back(one.get());
    metrics::NodeFacts facts;
    facts.version = kVersion;
    facts.io_backend_reason =
        config.node.io_backend == IoChoice::io_uring ? "configured" : "probed";
    facts.memory_limit_bytes = memory_limit;
    facts.events_written = events->written();
    facts.events_dropped = events->dropped();
    return metrics::render(shards, shaping.provider_names(), facts, now);
}

}  // namespace relay
