// DeliverySide: what sends, on one shard: the paths whose home it is, with TLS, what is known of
// hosts, and the counts of TLS sessions for reports. Built and stopped on its shard by the
// composition root. It has nothing to start but handing over those counts. Limits: those of
// Dispatcher and its paths.
#pragma once

#include <memory>
#include <optional>

#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"
#include "metrics/shard_metrics.h"
#include "relay/automation/action_keeper.h"
#include "relay/config/check.h"
#include "relay/node/stop_phase.h"
#include "relay/path/dispatcher.h"
#include "relay/path/learned_keeper.h"
#include "relay/security/session_counts.h"

namespace relay {

struct DeliveryParts {
    std::shared_ptr<const CheckedConfig> checked;
    const EgressOptions& options;
    dns::Resolver& resolver;
    const dns::RoutingRules& rules;
    const dns::RoutingRules& route_rules;
    Exchange& exchange;
    StsStore* counted_by = nullptr;  // policies that sessions are counted by; null: nobody reports
    InHand* in_hand = nullptr;       // null: nothing is noted
    LargestSites* largest = nullptr;
    std::optional<AutomationParts> automation{};
    std::optional<LearnedParts> learned{};
};

class DeliverySide {
  public:
    DeliverySide(core::Shard& shard, metrics::ShardMetrics& metrics, DeliveryParts parts);

    // Who takes the counts of sessions, on shard 0; null: nobody. Before start().
    void report_to(TallyTaker* reporter) { reporter_ = reporter; }
    void start();
    void use(std::shared_ptr<const CheckedConfig> checked);
    // until: of cut_off, for what is in flight.
    core::Task<void> stop(StopPhase phase, core::Instant until);

    Dispatcher& dispatcher() { return dispatcher_; }
    // Null: there is no automation, or not on this shard.
    ActionKeeper* actions() { return keeper_.get(); }
    EgressTls& tls() { return tls_; }

  private:
    core::Event stop_;
    core::TaskGroup tasks_;
    EgressTls tls_;
    HostMemory hosts_;
    std::unique_ptr<SessionCounts> sessions_;  // null: nobody reports
    TallyTaker* reporter_ = nullptr;
    std::unique_ptr<ActionKeeper> keeper_;    // of shard 0
    std::unique_ptr<LearnedKeeper> learned_;  // of shard 0
    std::unique_ptr<Reactions> reactions_;    // null: no automation
    Dispatcher dispatcher_;
};

}  // namespace relay
