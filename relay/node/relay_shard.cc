#include "relay/node/relay_shard.h"

#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "core/base/assert.h"
#include "core/base/log.h"
#include "relay/node/drain_times.h"
#include "relay/reporting/web_reports.h"

namespace relay {

namespace {

std::uint64_t new_seed() {
    std::uint64_t seed = 0;
    PH_ASSERT(::getentropy(&seed, sizeof seed) == 0);
    return seed;
}

std::array<unsigned char, 32> new_key() {
    std::array<unsigned char, 32> key{};
    PH_ASSERT(::getentropy(key.data(), key.size()) == 0);
    return key;
}

std::vector<Credential> credentials_of(const Config& config) {
    std::vector<Credential> all;
    for (const CredentialConfig& one : config.credentials) {
        all.push_back({.name = one.name,
                       .hash = one.secret,
                       .tenant = one.tenant,
                       .may = {.read = one.read, .inject = one.inject, .admin = one.admin}});
    }
    return all;
}

}  // namespace

RelayShard::RelayShard(Node& node, core::Shard& shard)
    : node_(node),
      shard_(shard),
      metrics_(*node.metrics[shard.id()]),
      checked_(node.first),
      stop_(shard.reactor()),
      event_lines_(*node.events, shard.reactor()),
      desk_(node, shard) {
    node.stop_events[shard.id()] = &stop_;
    node.relay_shards[shard.id()] = this;
}

// ---- start

core::Result<void> RelayShard::build() {
    auto lookups = Lookups::open(
        shard_, LookupParts{*checked_, node_.shard_count > 1 ? &node_.dns_answers : nullptr,
                            node_.rules, node_.sts_store});
    if (!lookups) return std::unexpected(lookups.error());
    lookups_ = std::move(*lookups);
    if (first()) build_order_desk();
    build_origin();
    if (auto opened = origin_->open(); !opened) return opened;
    build_delivery();
    build_control();
    // What an earlier run ordered holds before any mail moves.
    use_orders(node_.orders.snapshot());
    build_intake();
    node_.exchange.attach(shard_.id(), origin_->origin(), delivery_->dispatcher());
    return {};
}

void RelayShard::build_origin() {
    OriginParts parts{.options = {.memory_limit = static_cast<std::size_t>(node_.memory_limit /
                                                                           node_.shard_count),
                                  .hostname = node_.config.node.hostname,
                                  .delay_warning = node_.config.retry.delay_warning},
                      .intervals = node_.schedule,
                      .tenants = node_.tenants,
                      .router = RouterParts{checked_, node_.rules, lookups_->resolver(),
                                            lookups_->sts(), &node_.warmup},
                      .exchange = node_.exchange,
                      .sink = event_lines_};
    if (node_.spool != nullptr) {
        parts.spool.emplace(node_.spool->disk, node_.spool->space, node_.spool->options,
                            node_.spool->back.get());
    }
    origin_ = std::make_unique<OriginSide>(shard_, metrics_, std::move(parts));
}

void RelayShard::build_delivery() {
    InHand* const in_hand =
        node_.spool == nullptr ? nullptr : &node_.spool->back->in_hand(shard_.id());
    delivery_ = std::make_unique<DeliverySide>(
        shard_, metrics_,
        DeliveryParts{.checked = checked_,
                      .options = node_.egress,
                      .resolver = lookups_->resolver(),
                      .rules = node_.rules,
                      .route_rules = node_.route_rules,
                      .exchange = node_.exchange,
                      .counted_by = node_.config.tls_report.enabled ? &node_.sts_store : nullptr,
                      .in_hand = in_hand,
                      .largest = node_.largest[shard_.id()].get(),
                      .automation = AutomationParts{node_.automation, &node_.disk,
                                                    node_.automation_file, order_desk_.get()},
                      .learned = LearnedParts{node_.learned_shards, *node_.learned, &node_.disk,
                                              node_.learned_file}});
}

void RelayShard::build_control() {
    ControlParts parts{.origin = *origin_};
    if (node_.spool != nullptr) {
        parts.space = &node_.spool->space;
        parts.back = node_.spool->back.get();
        parts.in_hand_file = node_.spool->in_hand_file.get();
    }
    if (first() && node_.spool != nullptr) {
        parts.warmup.emplace(node_.warmup, node_.disk, node_.warmup_file);
    }
    if (first() && lookups_->sts() != nullptr) {
        parts.policies.emplace(node_.sts_store, node_.disk, node_.sts_file);
    }
    parts.probes.emplace(ProbeParts{
        .liveness = node_.liveness,
        .resolver = lookups_->resolver(),
        .draining = [this] { return node_.draining(); },
        .exposition =
            [this] {
                return node_.metrics_text(checked_->shaping.destination_names(), shard_.wall());
            },
        .metrics = node_.all_metrics,
        .largest = node_.all_largest});
    control_ = std::make_unique<ControlSide>(shard_, metrics_, std::move(parts));
    control_->open();
    if (first() && node_.config.tls_report.enabled) build_tls_reporter();
}

void RelayShard::build_order_desk() {
    order_desk_ = std::make_unique<OrderDesk>(
        shard_, node_.disk, node_.config.node.data_dir.string(), node_.orders,
        [this](const std::shared_ptr<const OrderSet>& orders) {
            for (std::size_t i = 0; i < node_.shard_count; ++i) {
                shard_.tell_owning(
                    i, [relay = node_.relay_shards[i], orders] { relay->use_orders(orders); });
            }
        });
    node_.order_desk = order_desk_.get();
}

void RelayShard::use_orders(std::shared_ptr<const OrderSet> orders) {
    desk_.use_orders(orders);
    if (first()) {
        for (const OrderKind kind :
             {OrderKind::suspend, OrderKind::suspend_path, OrderKind::bounce}) {
            metrics_.orders().in_force[static_cast<std::size_t>(kind)].set(
                static_cast<std::int64_t>(orders->count(kind)));
        }
    }
    origin_->origin().use_orders(orders);
    delivery_->dispatcher().use_orders(std::move(orders));
}

void RelayShard::retry_now(const Selection& selection) {
    origin_->origin().retry_now(selection);
}

void RelayShard::build_tls_reporter() {
    const TlsReportConfig& config = node_.config.tls_report;
    std::unique_ptr<ReportDoor> web;
    if (lookups_->https() != nullptr) {
        web = std::make_unique<WebReports>(shard_, *lookups_->https(), lookups_->resolver(),
                                           node_.rules);
    } else {
        web = std::make_unique<NoWebReports>();
    }
    ReportDoor& door = *web;
    control_->report_tls(
        std::move(web),
        TlsReporterParts{shard_, lookups_->resolver(), door, origin_->origin(), node_.disk,
                         metrics_, (node_.config.node.data_dir / "tls-report").string(),
                         config.delay},
        TlsReportSender{config.organization, config.contact, config.from,
                        node_.config.node.hostname});
    node_.tls_reporter = control_->reporter();
}

void RelayShard::build_intake() {
    intake_ = std::make_unique<IntakeSide>(
        shard_, metrics_,
        IntakeParts{.hostname = node_.config.node.hostname,
                    .address_literals = node_.config.delivery.address_literals,
                    .durable = node_.spool != nullptr,
                    .secret_key = new_key(),
                    .seed = new_seed(),
                    .acceptance = origin_->origin(),
                    .events = origin_->events(),
                    .probes = [this](bool metrics) { return control_->probes(metrics); },
                    .sockets = &node_.sockets,
                    .credentials = credentials_of(node_.config),
                    .desk = &desk_});
}

core::Result<void> RelayShard::listen() {
    std::vector<Door> doors;
    for (std::size_t i = 0; i < node_.config.listeners.size(); ++i)
        doors.push_back({node_.config.listeners[i], node_.admissions[i], node_.addresses[i]});
    return intake_->start(doors);
}

void RelayShard::start() {
    if (first()) announce();
    origin_->start();
    control_->start();
    delivery_->start();
    if (order_desk_ != nullptr) order_desk_->start();
}

void RelayShard::announce() const {
    std::string line = "ready:";
    for (std::size_t i = 0; i < node_.addresses.size(); ++i) {
        const bool smtp = node_.config.listeners[i].protocol == ListenerProtocol::smtp;
        for (const core::SocketAddress& address : node_.addresses[i]) {
            line.append(smtp ? " smtp " : " http ").append(address.to_string());
        }
    }
    core::log_info("{}", line);
    for (const core::SocketAddress& address : node_.sockets.unclaimed()) {
        core::log_warning(
            "a socket for {} was passed to this process, but no listener has exactly "
            "that address: connections to it wait in vain",
            address.to_string());
    }
}

core::Task<void> RelayShard::run() {
    shard_.reactor().excuse_step();  // nobody is served yet
    if (auto built = build(); !built) node_.fail(built.error());
    co_await node_.arrive(shard_, Step::built);
    if (delivery_ != nullptr) delivery_->report_to(node_.tls_reporter);
    if (!node_.failed() && first()) {
        node_.share_descriptors();
        if (node_.spool != nullptr) node_.spool->back->begin();
        if (auto listening = listen(); !listening) node_.fail(listening.error());
    }
    co_await node_.arrive(shard_, Step::first_listens);
    if (!node_.failed() && !first()) {
        if (auto listening = listen(); !listening) node_.fail(listening.error());
    }
    co_await node_.arrive(shard_, Step::all_listen);
    if (!node_.failed()) {
        start();
        co_await stop_.wait();
    }
    co_await stop_all();
}

void RelayShard::use(std::shared_ptr<const CheckedConfig> checked) {
    checked_ = std::move(checked);
    lookups_->use(*checked_);
    origin_->use(checked_);
    delivery_->use(checked_);
}

// ---- stop

core::Task<void> RelayShard::stop_all() {
    if (node_.sockets.are_kept()) co_await stop(StopPhase::leave, shard_.now() + kLeaveGrace);
    co_await stop(StopPhase::drain);
    co_await stop(StopPhase::close);
    co_await node_.arrive(shard_, Step::ingress_closed);
    co_await stop(StopPhase::settle, shard_.now() + kDrainGrace);
    // A shard with nothing of its own on the way may still have the paths of another's recipients.
    co_await node_.arrive(shard_, Step::settled);
    co_await stop(StopPhase::cut_off);
    co_await stop(StopPhase::home);
    co_await node_.arrive(shard_, Step::paths_closed);
    // Whoever needed an answer has it; what answers need is closed next.
    co_await shard_.stop_answering();
    co_await stop(StopPhase::end);
}

core::Task<void> RelayShard::stop(StopPhase phase, core::Instant until) {
    if (intake_ != nullptr) co_await intake_->stop(phase, until);
    // While all shards still take what it broadcasts; nobody gives orders any more.
    if (order_desk_ != nullptr && phase == StopPhase::home) co_await order_desk_->stop();
    if (control_ != nullptr) co_await control_->stop(phase);
    if (origin_ != nullptr) co_await origin_->stop(phase, until);
    // Before delivery: silent servers must not hold up connections that only opened.
    if (lookups_ != nullptr) co_await lookups_->stop(phase);
    if (phase == StopPhase::cut_off) until = shard_.now() + cut_off(node_.queued());
    if (delivery_ != nullptr) co_await delivery_->stop(phase, until);
}

core::Task<void> run_shard(Node* node, core::Shard* shard) {
    RelayShard relay(*node, *shard);
    co_await relay.run();
}

}  // namespace relay
