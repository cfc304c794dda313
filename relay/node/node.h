// Node: what the shards of one process share: the checked configuration, the tables that are
// read-only once the shards serve, the event log, each shard's counters, and the points at which
// the shards wait for each other while they start and stop. Made by serve() on the main thread
// before the shards, destroyed after them. Whatever is written later is atomic, or shard 0's alone.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/file/mapped_file.h"
#include "core/file/posix_disk.h"
#include "core/io/descriptors.h"
#include "core/io/probe.h"
#include "core/io/shard.h"
#include "core/net/listening_sockets.h"
#include "core/runtime/task.h"
#include "dns/mx.h"
#include "dns/shared_answers.h"
#include "metrics/shard_metrics.h"
#include "relay/admin/liveness.h"
#include "relay/automation/reactions.h"
#include "relay/config/check.h"
#include "relay/control/order_book.h"
#include "relay/delivery/egress_context.h"
#include "relay/egress/warmup_ledger.h"
#include "relay/events/event_log.h"
#include "relay/intake/admission.h"
#include "relay/path/largest_sites.h"
#include "relay/path/learned_keeper.h"
#include "relay/routing/exchange.h"
#include "relay/schedule/retry_schedule.h"
#include "relay/security/sts_store.h"
#include "relay/spool/held_back.h"
#include "relay/spool/spool.h"

namespace relay {

inline constexpr std::string_view kVersion = "0.1.0";

class OrderDesk;
class RelayShard;
class TlsReporter;

// The spool as the shards share it; none with durability "memory". The lock is held until the end.
struct NodeSpool {
    core::PosixDisk disk;
    std::string directory;
    SpoolOptions options;
    SpoolSpace space;
    core::Handle lock = core::kNoHandle;
    std::unique_ptr<core::MappedFile> in_hand_file;  // null: it cannot be mapped
    std::vector<std::uint64_t> in_hand_memory;       // then
    std::unique_ptr<HeldBack> back;

    explicit NodeSpool(std::string where) : directory(where), space(disk, std::move(where)) {}
    ~NodeSpool();
};
// Takes the spool of a configuration, or says why not. Null: there is to be none.
core::Result<std::unique_ptr<NodeSpool>> open_spool(const Config& config, std::size_t shards);

// All shards pass these in order, each only when all have come to it.
enum class Step : std::uint8_t {
    built,
    first_listens,
    all_listen,
    ingress_closed,
    settled,
    paths_closed
};
inline constexpr std::size_t kSteps = 6;

class Node {
  public:
    Node(CheckedConfig checked, std::size_t shard_count, core::ChosenEngine chosen,
         std::unique_ptr<EventLog> log, std::unique_ptr<NodeSpool> spool_on_disk,
         core::ListeningSockets passed);

    // Waits until every shard has come to the step.
    core::Task<void> arrive(core::Shard& shard, Step step);
    // The start failed; the first sentence stands. Shards notice after the next step.
    void fail(const std::string& sentence);
    bool failed() const { return failed_.load(); }
    std::string failure();

    // Tenants with a table have the first numbers that are left, and so labels of their own.
    void use(const CheckedConfig& checked);
    std::vector<std::string> tenant_labels() const;  // by number; the first is "default"
    // destination_names: of the shaping policy in force.
    std::string metrics_text(const std::vector<std::string>& destination_names,
                             core::WallTime now) const;
    // Every shard is built and listens.
    bool serving() const {
        return arrived_[static_cast<std::size_t>(Step::all_listen)].load() >= shard_count;
    }
    // Recipients of all shards, in any state, as counted.
    std::uint64_t queued() const;
    // Waits for that, or for a start that failed.
    core::Task<void> until_serving(core::Shard& shard);
    // What connections may take of the descriptors that are left now; before anybody listens.
    void share_descriptors();
    bool draining() const { return draining_.load(); }
    void start_draining() { draining_.store(true); }

    // As of the start; each shard has what is in force now, and shard 0 the latest of it.
    const std::shared_ptr<const CheckedConfig> first;
    const Config& config;
    std::shared_ptr<const CheckedConfig> latest;
    const std::size_t shard_count;
    const core::ChosenEngine engine;
    const std::unique_ptr<EventLog> events;
    const std::unique_ptr<NodeSpool> spool;
    const RetrySchedule schedule;
    const dns::RoutingRules rules;
    const dns::RoutingRules route_rules;
    const EgressOptions egress;
    const std::uint64_t memory_limit;
    TenantTable tenants;
    WarmupLedger warmup;
    const std::string warmup_file;  // with a spool
    Exchange exchange;
    core::PosixDisk disk;
    core::Descriptors descriptors;
    core::ListeningSockets sockets;
    const std::string sts_file;
    AutomationShards automation;
    const std::string automation_file;
    LearnedShards learned_shards;
    const std::string learned_file;
    const std::unique_ptr<const Learned> learned;  // by the process before
    StsStore sts_store;
    dns::SharedAnswers dns_answers;
    OrderBook orders;                 // shard 0's, once the shards run
    OrderDesk* order_desk = nullptr;  // shard 0's, from Step::built
    bool reloading = false;           // shard 0's
    core::WallTime started{};
    TlsReporter* tls_reporter = nullptr;  // shard 0's, from Step::built; null: no reports are sent
    Liveness liveness;
    std::vector<std::unique_ptr<metrics::ShardMetrics>> metrics;
    std::vector<const metrics::ShardMetrics*> all_metrics;    // the same, to read
    std::vector<std::unique_ptr<LargestSites>> largest;       // by shard
    std::vector<const LargestSites*> all_largest;             // the same, to read
    std::vector<std::shared_ptr<Admission>> admissions;       // by listener
    std::vector<std::vector<core::SocketAddress>> addresses;  // by listener; shard 0 writes them
    std::vector<core::Event*> stop_events;                    // by shard
    std::vector<RelayShard*> relay_shards;                    // by shard

  private:
    std::array<std::atomic<std::size_t>, kSteps> arrived_{};
    std::atomic<bool> failed_{false};
    std::atomic<bool> draining_{false};
    std::size_t open_beside_ = 0;  // descriptors, beside connections, as of the start
    std::mutex mutex_;
    std::string failure_;
};

}  // namespace relay
