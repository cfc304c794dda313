#include "relay/node/shard_services.h"

#include <utility>

#include <unistd.h>

#include "core/base/assert.h"
#include "core/base/log.h"
#include "core/file/replace_file.h"
#include "core/runtime/slices.h"
#include "relay/admin/probes.h"
#include "relay/admin/queue_report.h"
#include "relay/security/policy_file.h"

namespace relay {

namespace {

const core::TlsRoots* roots_of(const CheckedConfig& checked) {
    return checked.tls_roots ? &*checked.tls_roots : nullptr;
}

// What keeps chosen names from clashing in hash tables: nobody outside may know it.
std::uint64_t seed_of_sets() {
    std::uint64_t seed = 0;
    PH_ASSERT(::getentropy(&seed, sizeof seed) == 0);
    return seed;
}

std::string cannot_listen(const core::SocketAddress& address, const std::error_code& error) {
    std::string sentence = "cannot listen on " + address.to_string() + ": " + error.message();
    if (error.value() != EADDRINUSE) return sentence;
    return sentence + "; another program, perhaps another Posthaste, listens there";
}

}  // namespace

ShardServices::ShardServices(Node& node, core::Shard& shard)
    : node_(node),
      shard_(shard),
      metrics_(*node.metrics[shard.id()]),
      checked_(node.first),
      stop_(shard.reactor()),
      tasks_(shard.reactor()),
      recovery_(shard.reactor()),
      event_lines_(*node.events, shard.reactor()),
      events_(event_lines_, shard.reactor(), {.shard = static_cast<std::uint32_t>(shard.id())}) {
    node.stop_events[shard.id()] = &stop_;
    node.services[shard.id()] = this;
}

ShardServices::~ShardServices() = default;

core::Result<void> ShardServices::build() {
    dns::AresOptions dns_options;
    for (const core::SocketAddress& server : node_.config.dns.servers) {
        dns_options.servers.push_back(server.to_string());
    }
    dns_options.trust_ad = node_.config.dns.trust_ad;
    auto channel = dns::AresChannel::open(shard_, dns_options);
    if (!channel) return std::unexpected(channel.error());
    channel_ = std::move(*channel);
    resolver_ = std::make_unique<dns::CachedResolver>(
        shard_, *channel_, dns::CacheLimits{}, node_.shard_count > 1 ? &node_.dns_answers : nullptr,
        dns_options.servers);
    if (auto built = build_sts(); !built) return built;
    if (node_.spool != nullptr) {
        spool_ = std::make_unique<Spool>(shard_, node_.spool->disk, node_.spool->space, metrics_,
                                         node_.spool->options);
        if (auto opened = spool_->open(); !opened) return opened;
    }
    const OriginOptions options{
        .memory_limit = static_cast<std::size_t>(node_.memory_limit / node_.shard_count),
        .hostname = node_.config.node.hostname,
        .delay_warning = node_.config.retry.delay_warning};
    origin_ = std::make_unique<Origin>(shard_, options, node_.schedule,
                                       RouterParts{checked_, node_.rules, *resolver_, sts_.get()},
                                       node_.exchange, events_, metrics_, spool_.get(),
                                       spool_ == nullptr ? nullptr : node_.spool->back.get());
    if (spool_ != nullptr) spool_->start(*origin_);
    tls_ = std::make_unique<EgressTls>(shard_, roots_of(*checked_));
    hosts_ = std::make_unique<HostMemory>(node_.egress.pauses());
    if (node_.config.tls_report.enabled) {
        sessions_ = std::make_unique<SessionCounts>(shard_, node_.sts_store);
    }
    dispatcher_ = std::make_unique<Dispatcher>(
        EgressContext{shard_, node_.egress, *resolver_, node_.rules, node_.route_rules,
                      node_.exchange, metrics_, *tls_, *hosts_, sessions_.get(),
                      spool_ == nullptr ? nullptr : &node_.spool->back->in_hand(shard_.id()),
                      node_.largest[shard_.id()].get()});
    if (node_.config.tls_report.enabled && shard_.id() == 0) build_tls_reporter();
    node_.exchange.attach(shard_.id(), *origin_, *dispatcher_);
    tasks_.spawn(publish_metrics());
    if (shard_.id() == 0) {
        tasks_.spawn(report_queue(node_.all_metrics, node_.all_largest, &shard_, &stop_));
    }
    tasks_.spawn(node_.liveness.keep_stamping(&shard_, &stop_));
    return {};
}

void ShardServices::use(std::shared_ptr<const CheckedConfig> checked) {
    checked_ = std::move(checked);
    // The contexts first: paths may open connections at once.
    tls_->use(roots_of(*checked_));
    if (https_ != nullptr && checked_->tls_roots) https_->use_roots(*checked_->tls_roots);
    origin_->use(checked_);
    dispatcher_->use(checked_);
}

core::Result<void> ShardServices::build_sts() {
    if (!checked_->tls_roots) return {};
    auto https = core::HttpsClient::open(shard_, *checked_->tls_roots);
    if (!https) return std::unexpected(https.error());
    https_ = std::move(*https);
    web_policies_ = std::make_unique<WebPolicies>(shard_, *https_, *resolver_, node_.rules);
    sts_ = std::make_unique<MtaSts>(shard_, *resolver_, *web_policies_, node_.sts_store);
    if (shard_.id() != 0) return {};
    load_policies(node_.sts_file, node_.sts_store, shard_.wall());  // nobody serves yet
    tasks_.spawn(keep_policies());
    return {};
}

void ShardServices::build_tls_reporter() {
    const TlsReportConfig& config = node_.config.tls_report;
    if (https_ != nullptr) {
        report_door_ = std::make_unique<WebReports>(shard_, *https_, *resolver_, node_.rules);
    } else {
        report_door_ = std::make_unique<NoWebReports>();
    }
    tls_reporter_ = std::make_unique<TlsReporter>(
        TlsReporterParts{shard_, *resolver_, *report_door_, *origin_, node_.disk, metrics_,
                         (node_.config.node.data_dir / "tls-report").string(), config.delay},
        TlsReportSender{config.organization, config.contact, config.from,
                        node_.config.node.hostname});
    node_.tls_reporter = tls_reporter_.get();
}

core::Result<void> ShardServices::listen() {
    for (std::size_t i = 0; i < node_.config.listeners.size(); ++i) {
        const bool smtp = node_.config.listeners[i].protocol == ListenerProtocol::smtp;
        if (auto opened = smtp ? listen_smtp(i) : listen_http(i); !opened) return opened;
    }
    return {};
}

IntakePolicy ShardServices::intake_policy(const ListenerConfig& listener) const {
    return {.hostname = node_.config.node.hostname,
            .allow = listener.allow,
            .max_message_size = listener.max_message_size,
            .max_recipients = listener.max_recipients,
            .bounces = listener.bounces,
            .verp = listener.verp,
            .convert_eight_bit = listener.convert_eight_bit,
            .address_literals = node_.config.delivery.address_literals,
            .max_age = listener.max_age,
            .seed = seed_of_sets()};
}

core::Result<void> ShardServices::listen_smtp(std::size_t index) {
    const ListenerConfig& listener = node_.config.listeners[index];
    SmtpListenerOptions options;
    options.policy = intake_policy(listener);
    options.max_connections = listener.max_connections;
    options.line_endings = listener.line_endings;
    options.durable = node_.spool != nullptr;
    options.admission = node_.admissions[index];
    auto ingress =
        std::make_unique<SmtpIngress>(shard_, std::move(options), *origin_, metrics_, events_);
    // Shard 0 opens first: a port that the system chose is then everybody's.
    auto& addresses = node_.addresses[index];
    const auto wanted = shard_.id() == 0 ? listener.addresses : addresses;
    const auto sharing = shard_.id() == 0 ? core::Sharing::first : core::Sharing::join;
    for (const core::SocketAddress& address : wanted) {
        const auto opened = ingress->open(address, sharing, &node_.sockets);
        if (!opened) return core::failure(cannot_listen(address, opened.error()));
        if (shard_.id() == 0) addresses.push_back(*opened);
    }
    tasks_.spawn(ingress->run());
    smtp_.push_back(std::move(ingress));
    return {};
}

core::Result<void> ShardServices::listen_http(std::size_t index) {
    const ListenerConfig& listener = node_.config.listeners[index];
    HttpListener http;
    http.ingress = std::make_unique<HttpIngress>(shard_.reactor(), intake_policy(listener),
                                                 *origin_, metrics_, events_);
    core::HttpServerOptions options;
    options.max_connections = listener.max_connections;
    // The limit counts over all shards, as it does for SMTP.
    options.enter = [this, admission = node_.admissions[index], ingress = http.ingress.get()](
                        const core::SocketAddress& peer, bool replacing) {
        const core::Entry entry = admission->enter(peer.ip, replacing);
        if (is_in(entry)) {
            metrics_.session_opened(metrics::Protocol::http);
        } else if (entry == core::Entry::full) {
            metrics_.rejected(metrics::Protocol::http, metrics::Rejection::connections);
            ingress->rejections().note_turned_away(peer.ip, "no place: max_connections");
        }
        return entry;
    };
    options.knows = [admission = node_.admissions[index]](const core::IpAddress& peer) {
        return admission->allows(peer);
    };
    options.leave = [this, admission = node_.admissions[index]](const core::SocketAddress& peer) {
        admission->leave(peer.ip);
        metrics_.session_closed(metrics::Protocol::http);
    };
    http.server = std::make_unique<core::HttpServer>(shard_, options, http_routes(listener, http));
    auto& addresses = node_.addresses[index];
    const auto wanted = shard_.id() == 0 ? listener.addresses : addresses;
    const auto sharing = shard_.id() == 0 ? core::Sharing::first : core::Sharing::join;
    for (const core::SocketAddress& address : wanted) {
        const auto opened = http.server->open(address, sharing, &node_.sockets);
        if (!opened) return core::failure(cannot_listen(address, opened.error()));
        if (shard_.id() == 0) addresses.push_back(*opened);
    }
    http.server->start();
    http_.push_back(std::move(http));
    return {};
}

core::Router ShardServices::http_routes(const ListenerConfig& listener, HttpListener& http) {
    core::Router router;
    std::vector<std::string> names = listener.hosts;
    names.push_back(node_.config.node.hostname);
    router.set_guard([guard = core::SiteGuard(names)](const core::HttpRequest& head) {
        return guard.check(head);
    });
    if (listener.serve_inject) http.ingress->add_routes(router);
    Probes probes;
    probes.unhealthy = [this] { return node_.liveness.complaint(shard_.now()); };
    probes.unready = [this] { return unready(); };
    if (listener.serve_metrics) {
        // A plain function that makes the task: the lambda itself is no coroutine.
        probes.metrics = [this] {
            publish();
            return [](std::string text) -> core::Task<std::string> {
                co_return text;
            }(node_.metrics_text(checked_->shaping.provider_names(), shard_.wall()));
        };
    }
    add_probe_routes(router, std::move(probes));
    return router;
}

std::string ShardServices::unready() const {
    if (node_.draining()) return "draining";
    const auto refusal = origin_->check(0);
    if (!refusal) return {};
    switch (*refusal) {
        case Refusal::spool_failed:
            return node_.spool->space.failure() + "; restart when the disk is well";
        case Refusal::spool_full:
            return std::string(node_.spool->space.shortage());
        case Refusal::memory_full:
            return "memory.limit is reached";
        case Refusal::draining:
            break;
    }
    return {};
}

void ShardServices::announce() const {
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

void ShardServices::publish() {
    const core::ReactorStats& loop = shard_.reactor().stats();
    const core::IoStats& io = shard_.io().stats();
    metrics_.publish(metrics::EngineTotals{.turns = loop.turns,
                                           .enters = io.enters,
                                           .submitted = io.submitted,
                                           .completed = io.completed,
                                           .sends = io.sends,
                                           .receives = io.receives,
                                           .buffers_exhausted = io.buffers_exhausted,
                                           .overflows = io.overflows,
                                           .busy_ns = loop.busy_ns,
                                           .idle_ns = loop.idle_ns,
                                           .longest_turn_ns = loop.longest_turn_ns,
                                           .copied = io.copied,
                                           .held_input = shard_.held_input().total(),
                                           .turns_by_length = loop.turns_by_length});
    const dns::DnsCounters& dns = resolver_->counters();
    metrics_.publish(metrics::DnsTotals{.lookups = dns.lookups,
                                        .cache_hits = dns.cache_hits,
                                        .cache_misses = dns.cache_misses,
                                        .cache_entries = dns.entries,
                                        .shed = dns.shed});
    metrics_.oldest(origin_->oldest());
    if (spool_ == nullptr) return;
    const JournalStats spool = spool_->stats();
    const std::uint64_t unnoted = node_.spool->back->in_hand(shard_.id()).unnoted();
    metrics_.spool().publish(metrics::SpoolTotals{.batches = spool.batches,
                                                  .octets = spool.octets,
                                                  .outcomes = spool.outcomes,
                                                  .outcomes_dropped = spool.outcomes_dropped,
                                                  .moved_octets = spool.moved,
                                                  .unnoted = unnoted});
}

core::Task<void> ShardServices::publish_metrics() {
    do {
        publish();
    } while (!co_await stop_.wait(shard_.now() + kPublishEvery));
}

core::Task<void> ShardServices::recover() {
    const core::Instant begun = shard_.now();
    const RecoveryReport report = co_await spool_->recover(*origin_);
    metrics_.spool().recovered.add(report.recipients);
    metrics_.spool().damaged.add(report.damaged);
    if (report.segments == 0) co_return;
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(shard_.now() - begun);
    core::log_info(
        "shard {}: recovered {} messages for {} recipients from {} segments in {} ms; {} damaged",
        shard_.id(), report.messages, report.recipients, report.segments, took.count(),
        report.damaged);
}

core::Task<void> ShardServices::watch_space() {
    do {
        node_.spool->space.refresh();
    } while (!co_await stop_.wait(shard_.now() + std::chrono::seconds{1}));
}

// What died young is looked at by the next start (docs/decisions/0022).
core::Task<void> ShardServices::watch_life() {
    if (co_await stop_.wait(shard_.now() + HeldBack::kYouth)) co_return;
    node_.spool->back->has_lived();
    const core::MappedFile* const file = node_.spool->in_hand_file.get();
    while (file != nullptr && !file->lost()) {
        if (co_await stop_.wait(shard_.now() + HeldBack::kYouth)) co_return;
    }
    if (file == nullptr) co_return;
    core::log_error(
        "the disk took the file {} away: a message that kills this process will not be "
        "noticed",
        kInHandFile);
}

// The policies that were fetched outlive the process.
core::Task<void> ShardServices::keep_policies() {
    std::uint64_t kept = node_.sts_store.changes();
    bool stopping = false;
    while (!stopping) {
        stopping = co_await stop_.wait(shard_.now() + kKeepPoliciesEvery);
        const std::uint64_t changes = node_.sts_store.changes();
        if (changes == kept) continue;
        std::string text;
        node_.sts_store.begin_text(text);
        while (node_.sts_store.add_text(text, shard_.wall(), core::kSlice))
            co_await core::NextTurn{shard_.reactor()};
        const auto saved =
            co_await core::replace_file(shard_, node_.disk, node_.sts_file, std::move(text));
        if (saved) {
            kept = changes;
        } else {
            core::log_warning("cannot keep MTA-STS policies in {}: {}", node_.sts_file,
                              saved.error().message());
        }
    }
}

core::Task<void> ShardServices::run() {
    shard_.reactor().excuse_step();  // nobody is served yet
    if (auto built = build(); !built) node_.fail(built.error());
    co_await node_.arrive(shard_, Step::built);
    if (!node_.failed() && shard_.id() == 0) {
        node_.share_descriptors();
        if (spool_ != nullptr) node_.spool->back->begin();
        if (auto listening = listen(); !listening) node_.fail(listening.error());
    }
    co_await node_.arrive(shard_, Step::first_listens);
    if (!node_.failed() && shard_.id() != 0) {
        if (auto listening = listen(); !listening) node_.fail(listening.error());
    }
    co_await node_.arrive(shard_, Step::all_listen);
    if (!node_.failed()) {
        if (shard_.id() == 0) announce();
        if (spool_ != nullptr) recovery_.spawn(recover());
        if (spool_ != nullptr && shard_.id() == 0) tasks_.spawn(watch_space());
        if (spool_ != nullptr && shard_.id() == 0) tasks_.spawn(watch_life());
        if (tls_reporter_ != nullptr) tls_reporter_->start();
        if (sessions_ != nullptr) {
            tasks_.spawn(sessions_->keep_handing_over(0, node_.tls_reporter, &stop_));
        }
        co_await stop_.wait();
    }
    stop_.set();
    co_await drain();
}

// Others accept from our sockets from now on: clients finish here what they have begun.
core::Task<void> ShardServices::leave_to_others() {
    core::TaskGroup leaving(shard_.reactor());
    const core::Instant limit = shard_.now() + kLeaveGrace;
    for (auto& ingress : smtp_)
        leaving.spawn(ingress->leave_to_others(limit));
    for (HttpListener& http : http_)
        leaving.spawn(http.server->leave_to_others(limit));
    co_await leaving.close();
}

core::Task<void> ShardServices::drain() {
    if (node_.sockets.are_kept()) co_await leave_to_others();
    if (spool_ != nullptr) spool_->stop_recovery();
    co_await recovery_.close();
    if (origin_ != nullptr) origin_->start_draining();
    for (auto& ingress : smtp_)
        co_await ingress->drain_and_close();
    if (origin_ != nullptr) origin_->stop_accepting();
    co_await node_.arrive(shard_, Step::ingress_closed);

    std::size_t left = 0;
    if (dispatcher_ != nullptr) co_await origin_->settled(shard_.now() + kDrainGrace);
    // A shard with nothing of its own on the way may still have the paths of another's recipients.
    co_await node_.arrive(shard_, Step::settled);
    // Until here HTTP answered: 503 to injection and /readyz, 200 to /healthz.
    for (HttpListener& http : http_) {
        co_await http.server->close();
        http.ingress->close();
    }
    if (dispatcher_ != nullptr) {
        origin_->start_closing();
        co_await end_lookups();  // silent servers must not hold up connections that only opened
        co_await dispatcher_->close(shard_.now() + cut_off(node_.queued()));
        // Every recipient of this shard is home once all paths are closed, on whichever shard.
        co_await origin_->settled(core::kNever);
    }
    // Before that step, so that the reporter's shard receives it before it ends.
    if (sessions_ != nullptr && node_.tls_reporter != nullptr) {
        sessions_->hand_over(0, *node_.tls_reporter, true);
    }
    co_await node_.arrive(shard_, Step::paths_closed);
    co_await end_lookups();
    if (sts_ != nullptr) co_await sts_->close();
    if (tls_reporter_ != nullptr) co_await tls_reporter_->close(node_.shard_count);
    if (origin_ != nullptr) co_await origin_->end_reports();
    if (spool_ != nullptr) co_await spool_->close();
    if (origin_ != nullptr) left = co_await origin_->close();
    co_await tasks_.close();
    events_.close();
    if (left > 0 && spool_ != nullptr) {
        core::log_info("shard {}: {} recipients stay in the spool", shard_.id(), left);
    } else if (left > 0) {
        core::log_warning(
            "shard {}: {} recipients were still queued; with durability \"memory\" they are lost",
            shard_.id(), left);
    }
}

// Answers at once whoever asks, or waits for, a name server or a policy host.
core::Task<void> ShardServices::end_lookups() {
    if (resolver_ != nullptr) resolver_->stop();
    if (https_ != nullptr) co_await https_->close();
    if (channel_ != nullptr) co_await channel_->close();
}

core::Task<void> run_shard(Node* node, core::Shard* shard) {
    ShardServices services(*node, *shard);
    co_await services.run();
}

}  // namespace relay
