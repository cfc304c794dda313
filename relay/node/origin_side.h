// OriginSide: what owns the mail that a shard accepted: its Origin, the events that it writes and,
// with durability "commit", its spool. One per shard, built and stopped there by the composition
// root (RelayShard, or a simulation). open() before any shard serves, start() once all listen: it
// recovers what an earlier run left. After stop(end) nothing is queued in memory; left() says how
// many recipients that were. Limits: those of Origin and Spool.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "core/io/shard.h"
#include "core/runtime/task_group.h"
#include "metrics/shard_metrics.h"
#include "relay/events/event_sink.h"
#include "relay/events/event_writer.h"
#include "relay/node/stop_phase.h"
#include "relay/origin/origin.h"

namespace relay {

// A shard's part of the spool; back may be null: nothing is held back or noted.
struct SpoolParts {
    core::Disk& disk;
    SpoolSpace& space;
    SpoolOptions options;
    HeldBack* back = nullptr;
};

struct OriginParts {
    OriginOptions options;
    const RetrySchedule& intervals;
    TenantTable& tenants;
    RouterParts router;  // with the configuration in force
    Exchange& exchange;
    EventSink& sink;
    std::optional<SpoolParts> spool{};  // none: durability "memory"
};

class OriginSide {
  public:
    OriginSide(core::Shard& shard, metrics::ShardMetrics& metrics, OriginParts parts);

    core::Result<void> open();
    void start();
    void use(std::shared_ptr<const CheckedConfig> checked);
    // until: of settle, for what is ready.
    core::Task<void> stop(StopPhase phase, core::Instant until);

    Origin& origin() { return origin_; }
    EventWriter& events() { return events_; }
    const Spool* spool() const { return spool_.get(); }
    // What was recovered; once recovering() is false.
    const RecoveryReport& report() const { return report_; }
    bool recovering() const { return recovery_.running() > 0; }
    std::size_t left() const { return left_; }

  private:
    core::Task<void> recover();
    core::Task<void> end();

    core::Shard& shard_;
    metrics::ShardMetrics& metrics_;
    EventWriter events_;
    std::unique_ptr<Spool> spool_;
    Origin origin_;
    core::TaskGroup recovery_;
    RecoveryReport report_;
    std::size_t left_ = 0;
};

}  // namespace relay
