// SimRelay: the four sides of the relay (relay/node), as RelayShard composes them, on the shards of
// a SimWorld with a resolver from a table. Messages go in by Acceptance; what became of them is
// read from the event lines. audit() holds the events against the ledgers of the servers: every
// recipient that was accepted has exactly one final disposition, the one its server's ledger calls
// for, and nothing was delivered twice but where the 250 got lost. With a disk (which must be that
// of the world's backends) mail is committed to a spool on it, and what a relay before this one
// left there is recovered: a kill is a copy of the disk at that moment and a new relay in a new
// world. close() before the world ends.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/config/check.h"
#include "relay/events/event_sink.h"
#include "relay/intake/admission.h"
#include "relay/node/control_side.h"
#include "relay/node/delivery_side.h"
#include "relay/node/intake_side.h"
#include "relay/node/origin_side.h"
#include "relay/path/largest_sites.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_dns.h"
#include "tests/sim/sim_mx.h"
#include "tests/sim/sim_policies.h"
#include "tests/sim/sim_reports.h"
#include "tests/sim/sim_world.h"

namespace sim {

struct RelayOptions {
    relay::ShapingLimits limits{};
    std::vector<core::Duration> intervals{std::chrono::minutes{20}, std::chrono::hours{1}};
    core::Duration max_age = std::chrono::days{5};
    core::Duration delay_warning{};
    std::function<void(relay::Message&)> prepare{};  // what is injected, before its commit
    relay::PipelineMode pipelining = relay::PipelineMode::next;
    bool chunking = true;
    std::vector<relay::RouteConfig> routes{};
    relay::TlsPolicy tls = relay::TlsPolicy::opportunistic;
    std::optional<core::TlsRoots> tls_roots{};
    SimPolicies* policies = nullptr;   // null: no MTA-STS
    relay::StsStore* known = nullptr;  // with policies
    SimDisk* disk = nullptr;           // null: durability "memory"
    std::uint64_t segment_size = 64 << 10;
    std::size_t memory_limit = std::size_t{1} << 30;  // of a shard
    relay::SpaceLimits space{};
    // With a disk: the table of what is in hand, as a mapped file holds it; InHandTable::kWords, or
    // none. A kill is a copy of it, too.
    std::span<std::uint64_t> in_hand{};
    // Reports about TLS; they need a disk. Null: none are sent.
    SimReports* reports = nullptr;
    dns::RoutingRules rules{};  // own hosts, prohibited ones
    std::size_t many_paths = 50'000;
    std::size_t many_idle = 20'000;
    std::vector<relay::EgressSource> sources{};
    std::vector<relay::EgressPool> pools{};
    std::vector<relay::Warmup> warmups{};
    std::string shaping{};                // a shaping file
    relay::ActionSink* orders = nullptr;  // what automation orders about mail
    std::vector<relay::TenantPolicy> tenants{};
    std::string learned{};  // by a relay before this one
    // As the relay has it: answers are remembered, and lookups take turns.
    bool cached_dns = false;
};

// What was said to whoever injected a recipient.
struct Promise {
    std::size_t shard = 0;
    bool accepted = false;  // 250
    std::optional<relay::Refusal> refused{};
    std::string id;
};

struct Recorded {
    std::string type;
    std::string recipient;
    unsigned code = 0;
    unsigned attempts = 0;
    std::string line;
};

class SimRelay {
  public:
    SimRelay(SimWorld& world, SimZone& zone, RelayOptions options);
    ~SimRelay();

    // Accepts one message for all recipients; its content is content_of(number).
    void inject(std::size_t shard, const std::vector<std::string>& recipients,
                std::size_t size = 200);
    // A reload as SIGHUP makes it, on every shard at once: what change() makes of the configuration
    // in force, with this shaping file.
    void reload(const std::string& shaping,
                const std::function<void(relay::CheckedConfig&)>& change = {});
    // Orders in force from now on, as shard 0 broadcasts them.
    void use_orders(std::vector<relay::Order> orders);
    void retry_now(const relay::Selection& selection);
    std::size_t suspended() const;  // recipients, of all shards
    relay::TenantTable& tenants() { return tenants_; }
    // Takes mail over SMTP on every shard, from whoever is in `allow`. What comes in must be
    // announced.
    void listen(const core::SocketAddress& address, const std::string& allow = "0.0.0.0/0");
    void announce(const std::string& recipient, std::string content);
    // The same, with this content; what earlier relays accepted is announced too.
    void inject(std::size_t shard, const std::vector<std::string>& recipients, std::string content);
    static std::string content_of(std::uint64_t number, std::size_t size);

    const std::map<std::string, Promise>& promises() const { return promises_; }
    const std::map<std::string, std::string>& contents() const { return contents_; }

    // ---- the spool
    const relay::Spool& spool(std::size_t shard) const;
    relay::HeldBack& held_back() { return *back_; }
    relay::SpoolSpace& space() { return *space_; }
    relay::RecoveryReport recovered() const;  // so far; all shards
    bool recovery_over() const;
    std::size_t memory(std::size_t shard) const;
    std::optional<relay::Refusal> check(std::size_t shard, std::size_t octets) const;

    std::size_t waiting() const;  // messages with a recipient that is not final
    bool run_until_drained(core::Duration limit);
    // False when the relay did not come to its end.
    bool close(core::Duration deadline = std::chrono::seconds{30});
    bool closed() const { return closed_; }

    metrics::ShardMetrics& metrics(std::size_t shard = 0);
    relay::EgressTls& tls(std::size_t shard = 0);
    std::size_t paths() const;  // of all shards
    relay::ActionKeeper& actions();
    std::string learned();  // as it would be kept
    const relay::LargestSites& largest(std::size_t shard = 0) const;
    const relay::Router& router(std::size_t shard = 0) const;
    const relay::TlsReporter& reporter() const;
    // All so far; grows at its end only.
    const std::vector<Recorded>& events() const;
    std::vector<Recorded> events_of(const std::string& recipient) const;
    std::size_t count(const std::string& type) const;
    std::size_t injected() const { return contents_.size(); }
    std::uint64_t ambiguous_ends() const;  // as the metric counts them

    // What is wrong, in sentences; empty: nothing. To be called when drained.
    enum class Audit : std::uint8_t { exact, repetition_allowed };
    std::vector<std::string> audit(const std::vector<SimMx*>& servers,
                                   Audit how = Audit::exact) const;

  private:
    struct Place;
    core::Task<void> commit(Place& place, std::vector<std::string> recipients, std::string content);
    relay::OriginParts origin_parts(Place& place, const RelayOptions& options,
                                    const relay::SpoolOptions& on_disk);
    relay::DeliveryParts delivery_parts(Place& place, const RelayOptions& options);
    relay::ControlParts control_parts(Place& place);
    static core::Task<void> stop(Place& place, relay::StopPhase phase, core::Instant until);
    static core::Task<void> close_place(Place& place, core::Instant deadline);

    SimWorld& world_;
    std::function<void(relay::Message&)> prepare_;
    core::Duration delay_warning_{};
    relay::ShapingLimits limits_;
    std::vector<relay::EgressSource> sources_;  // as of the start
    std::shared_ptr<const relay::CheckedConfig> checked_;
    dns::RoutingRules rules_;
    dns::RoutingRules route_rules_;
    relay::RetrySchedule schedule_;
    relay::EgressOptions egress_;
    relay::TenantTable tenants_;
    relay::WarmupLedger warmup_;
    relay::Exchange exchange_;
    relay::AutomationShards automation_;
    relay::LearnedShards learned_shards_;
    relay::Learned learned_;
    relay::MemoryEventSink sink_;
    SimDisk* disk_ = nullptr;
    core::Handle lock_ = core::kNoHandle;
    std::unique_ptr<relay::SpoolSpace> space_;
    std::unique_ptr<relay::HeldBack> back_;  // null: nothing is noted
    mutable std::vector<Recorded> events_;   // parsed so far
    mutable std::size_t parsed_ = 0;         // octets of the sink's lines
    std::vector<std::unique_ptr<Place>> places_;
    std::map<std::string, std::string> contents_;  // by recipient
    std::map<std::string, Promise> promises_;
    std::uint64_t messages_ = 0;
    std::size_t refused_ = 0;
    bool listening_ = false;
    relay::ListenerConfig listener_;  // while listening
    std::vector<core::SocketAddress> addresses_;
    bool closed_ = false;
};

}  // namespace sim
