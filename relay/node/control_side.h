// ControlSide: what watches over one shard and says how it is: counters for GET /metrics, whether
// the loop turns, why mail waits; on shard 0 also the spool's space, whether the process has lived
// long enough to trust its mail, the policies of MTA-STS on disk, and the reports about TLS. Built
// and stopped on its shard by the composition root. What is null in its parts is not looked after:
// a simulation has no probes. Outlived by its OriginSide. Limits: none of its own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/file/disk.h"
#include "core/file/mapped_file.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"
#include "dns/cached_resolver.h"
#include "metrics/shard_metrics.h"
#include "relay/admin/liveness.h"
#include "relay/admin/probes.h"
#include "relay/egress/warmup_ledger.h"
#include "relay/node/origin_side.h"
#include "relay/node/stop_phase.h"
#include "relay/path/largest_sites.h"
#include "relay/reporting/tls_reporter.h"
#include "relay/security/sts_store.h"

namespace relay {

// The policies that were fetched outlive the process.
struct KeptPolicies {
    StsStore& store;
    core::Disk& disk;
    std::string file;
};

// What sources in warm-up sent today outlives it, too.
struct KeptWarmup {
    WarmupLedger& ledger;
    core::Disk& disk;
    std::string file;
};

// What only somebody who looks from outside needs.
struct ProbeParts {
    Liveness& liveness;
    const dns::CachedResolver& resolver;
    std::function<bool()> draining;
    std::function<std::string()> exposition;  // of all shards
    std::span<const metrics::ShardMetrics* const> metrics;
    std::span<const LargestSites* const> largest;
};

struct ControlParts {
    OriginSide& origin;
    SpoolSpace* space = nullptr;  // null: durability "memory"
    HeldBack* back = nullptr;
    const core::MappedFile* in_hand_file = nullptr;  // where back notes what is in hand
    std::optional<KeptPolicies> policies{};          // of shard 0
    std::optional<KeptWarmup> warmup{};              // of shard 0
    std::optional<ProbeParts> probes{};
};

class ControlSide {
  public:
    static constexpr core::Duration kPublishEvery = std::chrono::milliseconds{250};
    static constexpr core::Duration kKeepWarmupEvery = std::chrono::milliseconds{200};
    static constexpr core::Duration kKeepWarmupAfterFailure = std::chrono::seconds{10};
    static constexpr core::Duration kKeepPoliciesEvery = std::chrono::seconds{10};

    ControlSide(core::Shard& shard, metrics::ShardMetrics& metrics, ControlParts parts);

    // Reads what an earlier run left. Before any shard serves.
    void open();
    // Shard 0 sends the reports about TLS. Before start().
    void report_tls(std::unique_ptr<ReportDoor> web, TlsReporterParts parts,
                    TlsReportSender sender);
    void start();
    core::Task<void> stop(StopPhase phase);

    Probes probes(bool with_metrics);  // for the routes of a listener
    TlsReporter* reporter() { return reporter_.get(); }

  private:
    bool first() const { return shard_.id() == 0; }
    void publish();
    std::string unready() const;
    core::Task<void> keep_publishing();
    core::Task<void> watch_space();
    core::Task<void> keep_warmup();
    core::Task<bool> write_warmup(bool clean);
    core::Task<void> watch_life();
    core::Task<void> keep_policies();

    core::Shard& shard_;
    metrics::ShardMetrics& metrics_;
    ControlParts parts_;
    core::Event stop_;
    core::TaskGroup tasks_;
    std::unique_ptr<ReportDoor> report_door_;
    std::unique_ptr<TlsReporter> reporter_;  // null: none are sent, or by another shard
};

}  // namespace relay
