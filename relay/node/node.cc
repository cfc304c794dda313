#include "relay/node/node.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <unistd.h>

#include "core/base/assert.h"
#include "core/base/log.h"
#include "core/base/text_file.h"
#include "metrics/exposition.h"
#include "relay/config/descriptor_demand.h"

namespace relay {

namespace {

constexpr core::Duration kStepPoll = std::chrono::milliseconds{1};  // only while starting, stopping

dns::RoutingRules rules_of(const Config& config, bool for_mx) {
    dns::RoutingRules rules;
    if (!for_mx) return rules;
    rules.prohibited = config.delivery.prohibited_hosts;
    rules.address_literals = config.delivery.address_literals;
    rules.own_names.push_back(config.node.hostname);
    rules.own_addresses = own_addresses(config, machine_addresses());
    return rules;
}

// A site that failed is asked again no later than its mail is due by [retry].
EgressOptions egress_of(const Config& config) {
    EgressOptions options{.ehlo_name = config.node.hostname, .max_age = config.retry.max_age};
    options.longest_pause = std::min(options.longest_pause, config.retry.intervals.front());
    options.first_pause = std::min(options.first_pause, options.longest_pause);
    return options;
}

// Another one after each start of the machine. Empty: it cannot be told.
std::string boot_of_machine() {
    const auto boot = core::read_text_file("/proc/sys/kernel/random/boot_id", 64);
    return boot ? boot->substr(0, boot->find('\n')) : std::string();
}

core::Result<void> open_held_back(NodeSpool& spool, std::size_t shards) {
    const std::string path = spool.directory + "/" + std::string(kInHandFile);
    auto file = core::MappedFile::open(path, InHandTable::kWords * sizeof(std::uint64_t));
    if (file) {
        spool.in_hand_file = std::move(*file);
    } else {
        core::log_warning(
            "cannot map {}: {}; a message that kills this process will not be noticed", path,
            file.error().message());
        spool.in_hand_memory.resize(InHandTable::kWords);
    }
    const std::span<std::uint64_t> words =
        file ? spool.in_hand_file->words() : std::span(spool.in_hand_memory);
    spool.back = std::make_unique<HeldBack>(spool.disk, spool.directory, words);
    return spool.back->open(boot_of_machine(), shards);
}

}  // namespace

NodeSpool::~NodeSpool() {
    if (lock != core::kNoHandle) disk.close(lock);
}

core::Result<std::unique_ptr<NodeSpool>> open_spool(const Config& config, std::size_t shards) {
    if (config.spool.durability == Durability::memory) return nullptr;
    std::error_code error;
    std::filesystem::create_directories(config.node.data_dir, error);
    if (error) {
        return core::failure("cannot make " + config.node.data_dir.string() + ": " +
                             error.message());
    }
    auto spool = std::make_unique<NodeSpool>((config.node.data_dir / "spool").string());
    const auto place = prepare_spool(spool->disk, spool->directory);
    if (!place) return std::unexpected(place.error());
    spool->lock = place->lock;
    spool->options = {.directory = spool->directory,
                      .segment_size = config.spool.segment_size,
                      .direct = place->direct};
    PH_ASSERT(::getentropy(&spool->options.salt, sizeof spool->options.salt) == 0);
    const auto space = spool->space.look();
    if (!space) {
        return core::failure("cannot ask for the space of " + spool->directory + ": " +
                             space.error().message());
    }
    spool->space.set_limits({.max_octets = config.spool.max_size.of(space->total),
                             .min_free = config.spool.min_free.of(space->total),
                             .most_wanted = 2 * config.spool.segment_size});
    core::log_info("spool {}: {}, segments of {} octets", spool->directory,
                   place->direct ? "direct writes" : "writes through the page cache",
                   config.spool.segment_size);
    if (auto opened = open_held_back(*spool, shards); !opened) {
        return std::unexpected(opened.error());
    }
    return spool;
}

Node::Node(CheckedConfig checked, std::size_t shards, core::ChosenEngine chosen,
           std::unique_ptr<EventLog> log, std::unique_ptr<NodeSpool> spool_on_disk,
           core::ListeningSockets passed)
    : first(std::make_shared<const CheckedConfig>(std::move(checked))),
      config(first->config),
      latest(first),
      shard_count(shards),
      engine(std::move(chosen)),
      events(std::move(log)),
      spool(std::move(spool_on_disk)),
      schedule(config.retry.intervals, config.retry.max_age),
      rules(rules_of(config, true)),
      route_rules(rules_of(config, false)),
      egress(egress_of(config)),
      memory_limit(relay::memory_limit(config.memory)),
      exchange(shards),
      sockets(std::move(passed)),
      sts_file((config.node.data_dir / "mta-sts").string()),
      automation(shards),
      automation_file((config.node.data_dir / "automation").string()),
      learned_shards(shards),
      learned_file((config.node.data_dir / "learned").string()),
      learned(load_learned(learned_file)),
      liveness(shards),
      addresses(config.listeners.size()),
      stop_events(shards, nullptr),
      relay_shards(shards, nullptr) {
    use(*first);
    for (std::size_t i = 0; i < shards; ++i) {
        // Room for every name that a reload may bring.
        metrics.push_back(std::make_unique<metrics::ShardMetrics>(metrics::kMostDestinations));
        all_metrics.push_back(metrics.back().get());
        largest.push_back(std::make_unique<LargestSites>());
        all_largest.push_back(largest.back().get());
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

core::Task<void> Node::until_serving(core::Shard& shard) {
    core::Event never(shard.reactor());
    while (!serving() && !failed())
        co_await never.wait(shard.now() + kStepPoll);
}

std::uint64_t Node::queued() const {
    using metrics::Queue;
    std::int64_t all = 0;
    for (const metrics::ShardMetrics* shard : all_metrics) {
        for (const Queue queue : {Queue::scheduled, Queue::ready, Queue::in_flight})
            all += shard->queue(queue).value();
    }
    return static_cast<std::uint64_t>(std::max<std::int64_t>(all, 0));
}

void Node::share_descriptors() {
    std::size_t open = core::Descriptors::count_open();
    for (const ListenerConfig& listener : config.listeners)
        open += 2 * listener.addresses.size() * shard_count;  // and each once more for the next
    const std::size_t limit = core::Descriptors::raise_limit();
    open_beside_ = open;
    descriptors.set_limit(limit, open, shard_count);
    const auto complaint =
        descriptor_complaint(descriptor_demand(config, first->shaping, shard_count, open), limit);
    if (!complaint) return;
    core::log_warning("{}; there is room for {} connections now", *complaint, descriptors.room());
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

void Node::use(const CheckedConfig& checked) {
    for (const TenantConfig& each : checked.config.tenants)
        tenants.intern(each.policy.name == kDefaultTenant ? "" : each.policy.name);
}

std::vector<std::string> Node::tenant_labels() const {
    std::vector<std::string> names{std::string(kDefaultTenant)};
    while (names.size() + 1 < metrics::kMostTenantLabels) {
        const Tenant* const tenant = tenants.find(static_cast<TenantId>(names.size()));
        if (tenant == nullptr) break;
        names.push_back(tenant->name);
    }
    return names;
}

std::string Node::metrics_text(const std::vector<std::string>& destination_names,
                               core::WallTime now) const {
    metrics::NodeFacts facts;
    facts.version = kVersion;
    facts.io_backend = core::name_of(engine.engine);
    facts.io_backend_reason = engine.reason;
    facts.memory_limit_bytes = memory_limit;
    if (spool != nullptr) {
        const SpoolSpace& space = spool->space;
        facts.spool_state = space.failed() ? metrics::SpoolState::failed
                            : space.full() ? metrics::SpoolState::full
                                           : metrics::SpoolState::ready;
        facts.spool_bytes = space.used();
        facts.spool_free_bytes = space.free();
    }
    facts.events_written = events->written();
    facts.events_dropped = events->dropped();
    facts.tenant_names = tenant_labels();
    facts.known_fds = open_beside_ + descriptors.leased();
    return metrics::render(all_metrics, destination_names, facts, now);
}

}  // namespace relay
