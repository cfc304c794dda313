// RelayShard: one shard of the relay, put together: lookups and four sides (intake, origin,
// delivery, control). Built, run and stopped on its shard by run_shard(); besides serve.cc the one
// place that knows every concrete type. Shards start and stop in step (Node::arrive), by the phases
// of stop_phase.h, within the times of drain_times.h; what still waits then is counted and logged.
#pragma once

#include <memory>

#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"
#include "relay/events/event_lines.h"
#include "relay/node/control_side.h"
#include "relay/node/delivery_side.h"
#include "relay/node/intake_side.h"
#include "relay/node/lookups.h"
#include "relay/node/node.h"
#include "relay/node/node_desk.h"
#include "relay/node/order_desk.h"
#include "relay/node/origin_side.h"

namespace relay {

class RelayShard {
  public:
    RelayShard(Node& node, core::Shard& shard);

    // From start to end; the shard's root task.
    core::Task<void> run();
    // A reload, all of it in one turn: bounce rules, shaping, routes, TLS.
    void use(std::shared_ptr<const CheckedConfig> checked);
    // Orders of operators, in force from now on.
    void use_orders(std::shared_ptr<const OrderSet> orders);
    void retry_now(const Selection& selection);

    // ---- for those who look at it, on its shard
    std::size_t id() const { return shard_.id(); }
    core::Shard& shard() { return shard_; }
    Origin& origin() { return origin_->origin(); }
    Dispatcher& dispatcher() { return delivery_->dispatcher(); }
    const CheckedConfig& checked() const { return *checked_; }

  private:
    bool first() const { return shard_.id() == 0; }
    core::Result<void> build();
    void build_origin();
    void build_delivery();
    void build_control();
    void build_order_desk();
    void build_tls_reporter();
    void build_intake();
    core::Result<void> listen();
    void start();
    void announce() const;
    core::Task<void> stop_all();
    core::Task<void> stop(StopPhase phase, core::Instant until = core::kNever);

    Node& node_;
    core::Shard& shard_;
    metrics::ShardMetrics& metrics_;
    std::shared_ptr<const CheckedConfig> checked_;  // in force
    core::Event stop_;
    EventLines event_lines_;
    NodeDesk desk_;
    std::unique_ptr<OrderDesk> order_desk_;  // of shard 0
    // Null after a start that failed before them.
    std::unique_ptr<Lookups> lookups_;
    std::unique_ptr<OriginSide> origin_;
    std::unique_ptr<DeliverySide> delivery_;
    std::unique_ptr<ControlSide> control_;
    std::unique_ptr<IntakeSide> intake_;
};

core::Task<void> run_shard(Node* node, core::Shard* shard);

}  // namespace relay
