#include "tests/sim/sim_relay.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "core/base/log.h"
#include "core/file/file.h"
#include "core/runtime/slices.h"
#include "dns/cached_resolver.h"
#include "relay/message/header_scan.h"

namespace sim {

namespace {

// The value after "key": as it stands; strings without their quotes. Good for what we write.
std::string field(std::string_view line, std::string_view key) {
    const std::string wanted = "\"" + std::string(key) + "\":";
    const auto found = line.find(wanted);
    if (found == std::string_view::npos) return {};
    std::string_view rest = line.substr(found + wanted.size());
    if (rest.starts_with('"')) {
        rest.remove_prefix(1);
        return std::string(rest.substr(0, rest.find('"')));
    }
    return std::string(rest.substr(0, rest.find_first_of(",}")));
}

unsigned number(const std::string& text) {
    unsigned value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

// What arrived is what was sent, but for our trace header when it came by SMTP.
bool is_copy(std::string_view arrived, std::string_view sent, bool traced) {
    if (!traced) return arrived == sent;
    return arrived.ends_with(sent) && arrived.starts_with("Received: ") &&
           arrived.find("Received: ", 1) == std::string_view::npos;
}

relay::ShapingPolicy shaping_of(const std::string& text, const relay::ShapingLimits& limits) {
    auto loaded = relay::ShapingPolicy::parse({{"shaping.toml", text}}, limits);
    PH_ASSERT(loaded.has_value());
    for (const relay::Problem& warning : loaded->warnings)
        PH_ASSERT(!warning.sentence.contains("no effect"));
    return std::move(loaded->policy);
}

std::shared_ptr<const relay::CheckedConfig> checked_of(RelayOptions& options) {
    relay::CheckedConfig checked{
        .config = relay::default_config(),
        .shaping = shaping_of(options.shaping, options.limits),
        .bounce = relay::BounceRules::built_in(),
        .warnings = {},
        .tls_roots = std::move(options.tls_roots),
    };
    checked.config.routes = std::move(options.routes);
    checked.config.shaping.defaults = options.limits;
    checked.config.delivery.port = 25;
    checked.config.delivery.tls = options.tls;
    return std::make_shared<const relay::CheckedConfig>(std::move(checked));
}

const core::TlsRoots* roots_of(const relay::CheckedConfig& checked) {
    return checked.tls_roots ? &*checked.tls_roots : nullptr;
}

bool is_final(const std::string& type) {
    return type == "Delivery" || type == "Bounce" || type == "Expiration";
}

}  // namespace

struct SimRelay::Place {
    Place(SimRelay& relay, core::Shard& on, SimZone& zone, const RelayOptions& options,
          const relay::SpoolOptions& on_disk)
        : shard(on),
          dns(on, zone),
          cached(options.cached_dns ? std::make_unique<dns::CachedResolver>(on, dns) : nullptr),
          resolver(options.cached_dns ? static_cast<dns::Resolver&>(*cached) : dns),
          sts(options.policies == nullptr ? nullptr
                                          : std::make_unique<relay::MtaSts>(
                                                on, resolver, *options.policies, *options.known)),
          events(relay.sink_, on.reactor()),
          spool(relay.disk_ == nullptr ? nullptr
                                       : std::make_unique<relay::Spool>(
                                             on, *relay.disk_, *relay.space_, metrics, on_disk)),
          origin(on,
                 {.memory_limit = options.memory_limit,
                  .hostname = "relay.example",
                  .delay_warning = relay.delay_warning_},
                 relay.schedule_,
                 relay::RouterParts{relay.checked_, relay.rules_, resolver, sts.get()},
                 relay.exchange_, events, metrics, spool.get(), relay.back_.get()),
          tls(on, roots_of(*relay.checked_)),
          hosts(relay.egress_.pauses()),
          sessions(options.reports == nullptr
                       ? nullptr
                       : std::make_unique<relay::SessionCounts>(on, known_policies(options))),
          dispatcher(relay::EgressContext{
              on, relay.egress_, resolver, relay.rules_, relay.route_rules_, relay.exchange_,
              metrics, tls, hosts, sessions.get(),
              relay.back_ == nullptr ? nullptr : &relay.back_->in_hand(on.id()), &largest}),
          stopped(on.reactor()) {
        relay.exchange_.attach(on.id(), origin, dispatcher);
    }
    relay::StsStore& known_policies(const RelayOptions& options) {
        return options.known != nullptr ? *options.known : no_policies;
    }
    relay::StsStore no_policies;
    core::Shard& shard;
    SimDns dns;
    std::unique_ptr<dns::CachedResolver> cached;  // null: not remembered
    dns::Resolver& resolver;
    std::unique_ptr<relay::MtaSts> sts;
    metrics::ShardMetrics metrics;
    relay::EventWriter events;
    std::unique_ptr<relay::Spool> spool;  // null: durability "memory"
    relay::RecoveryReport report;
    bool recovering = false;
    relay::Origin origin;
    relay::EgressTls tls;
    relay::HostMemory hosts;
    std::unique_ptr<relay::SessionCounts> sessions;  // null: nobody reports
    relay::LargestSites largest;
    relay::Dispatcher dispatcher;
    core::Event stopped;
    std::unique_ptr<relay::SmtpIngress> ingress;
    std::size_t lost = 0;
};

SimRelay::SimRelay(SimWorld& world, SimZone& zone, RelayOptions options)
    : world_(world),
      prepare_(std::move(options.prepare)),
      delay_warning_(options.delay_warning),
      limits_(options.limits),
      checked_(checked_of(options)),
      rules_(options.rules),
      schedule_(options.intervals, options.max_age),
      exchange_(world.shards()) {
    // Thousands of failures are provoked on purpose; POSTHASTE_SIM_LOG=1 shows them.
    core::set_log_level(std::getenv("POSTHASTE_SIM_LOG") != nullptr ? core::LogLevel::kDebug
                                                                    : core::LogLevel::kError);
    egress_.ehlo_name = "relay.example";
    egress_.max_age = options.max_age;
    egress_.pipelining = options.pipelining;
    egress_.chunking = options.chunking;
    egress_.many_paths = options.many_paths;
    egress_.many_idle = options.many_idle;
    relay::SpoolOptions on_disk{"spool", options.segment_size, false};
    if (options.disk != nullptr) {
        disk_ = options.disk;
        const auto taken = relay::prepare_spool(*disk_, on_disk.directory);
        PH_ASSERT(taken.has_value());
        lock_ = taken->lock;
        on_disk.direct = taken->direct;
        space_ = std::make_unique<relay::SpoolSpace>(*disk_, on_disk.directory);
        space_->set_limits(options.space);
        closing_ = std::make_unique<core::Event>(world.shard().reactor());
    }
    if (!options.in_hand.empty()) {
        back_ = std::make_unique<relay::HeldBack>(*disk_, on_disk.directory, options.in_hand);
        const auto opened = back_->open("the boot of a machine", world.shards());
        PH_ASSERT(opened.has_value());
        back_->begin();
    }
    for (std::size_t i = 0; i < world.shards(); ++i) {
        places_.push_back(std::make_unique<Place>(*this, world.shard(i), zone, options, on_disk));
    }
    if (disk_ == nullptr) return;
    for (auto& place : places_) {
        const auto opened = place->spool->open();
        PH_ASSERT(opened.has_value());
        place->spool->start(place->origin);
    }
    for (auto& place : places_) {
        place->recovering = true;
        world_.spawn(place->shard, recover(*place));
    }
    world_.spawn(world_.shard(), watch_space());
    if (back_ != nullptr) world_.spawn(world_.shard(), watch_life());
    if (options.reports == nullptr) return;
    Place& first = *places_.front();
    reporter_ = std::make_unique<relay::TlsReporter>(
        relay::TlsReporterParts{first.shard, first.resolver, *options.reports, first.origin, *disk_,
                                first.metrics, "tls-report", std::chrono::hours{4}},
        relay::TlsReportSender{"The Relay", "postmaster@relay.example", "tls@relay.example",
                               "relay.example"});
    reporter_->start();
    for (auto& place : places_) {
        world_.spawn(place->shard,
                     place->sessions->keep_handing_over(0, reporter_.get(), &place->stopped));
    }
}

SimRelay::~SimRelay() {
    PH_ASSERT(closed_);
    places_.clear();  // closes their files
    if (lock_ != core::kNoHandle) disk_->close(lock_);
}

core::Task<void> SimRelay::recover(Place& place) {
    place.report = co_await place.spool->recover(place.origin);
    place.recovering = false;
}

core::Task<void> SimRelay::watch_space() {
    do {
        space_->refresh();
    } while (!co_await closing_->wait(world_.shard().now() + std::chrono::seconds{1}));
}

core::Task<void> SimRelay::watch_life() {
    const core::Instant end = world_.shard().now() + relay::HeldBack::kYouth;
    if (!co_await closing_->wait(end)) back_->has_lived();
}

relay::RecoveryReport SimRelay::recovered() const {
    relay::RecoveryReport total;
    for (const auto& place : places_) {
        total.segments += place->report.segments;
        total.messages += place->report.messages;
        total.recipients += place->report.recipients;
        total.damaged += place->report.damaged;
        total.steps += place->report.steps;
    }
    return total;
}

bool SimRelay::recovery_over() const {
    return std::ranges::none_of(places_, [](const auto& place) { return place->recovering; });
}

const relay::Spool& SimRelay::spool(std::size_t shard) const {
    return *places_.at(shard)->spool;
}

std::size_t SimRelay::memory(std::size_t shard) const {
    return places_.at(shard)->origin.memory();
}

std::optional<relay::Refusal> SimRelay::check(std::size_t shard, std::size_t octets) const {
    return places_.at(shard)->origin.check(octets);
}

std::string SimRelay::content_of(std::uint64_t number, std::size_t size) {
    std::string content = "Subject: number " + std::to_string(number) + "\r\n\r\n";
    core::Prng prng{number};
    while (content.size() < size) {
        if (prng.below(3) == 0) content += std::string(1 + prng.below(3), '.');
        content += std::string(prng.below(60), static_cast<char>('a' + number % 26));
        content += "\r\n";
    }
    return content;
}

core::Task<void> SimRelay::commit(Place& place, std::vector<std::string> recipients,
                                  std::string content) {
    auto message = place.origin.begin();
    message->sender = "news@sender.example";
    message->edit_injection().protocol = "ESMTP";
    std::size_t offset = 0;
    while (offset < content.size()) {
        const std::size_t end = content.find("\r\n", offset) + 2;
        const std::string_view line = std::string_view(content).substr(offset, end - offset);
        if (line.starts_with('.')) message->content.mark_leading_dot();
        message->content.append(line);
        offset = end;
    }
    relay::HeaderScan header;
    header.feed(content);
    if (header.tls_waived()) message->tls = relay::TlsRequest::waived;
    message->content.seal();
    for (std::string& recipient : recipients) {
        message->recipients.push_back(
            std::make_unique<relay::Recipient>(*message, std::move(recipient)));
    }
    if (prepare_) prepare_(*message);
    std::vector<std::string> addresses;
    for (const auto& recipient : message->recipients)
        addresses.emplace_back(recipient->address.view());
    if (addresses.size() > core::kSlice) {
        place.shard.reactor().excuse_step();  // the test's own work
        co_await core::NextTurn{place.shard.reactor()};
    }
    const auto committed = co_await place.origin.commit(std::move(message));
    if (!committed) ++refused_;
    place.shard.reactor().excuse_step();  // the test's own work
    for (const std::string& address : addresses) {
        Promise& promise = promises_[address];
        promise.accepted = committed.has_value();
        if (committed) {
            promise.id = committed->to_string();
        } else {
            promise.refused = committed.error();
        }
    }
}

void SimRelay::inject(std::size_t shard, const std::vector<std::string>& recipients,
                      std::size_t size) {
    inject(shard, recipients, content_of(++messages_, size));
}

void SimRelay::inject(std::size_t shard, const std::vector<std::string>& recipients,
                      std::string content) {
    for (const std::string& recipient : recipients) {
        contents_[recipient] = content;
        promises_[recipient].shard = shard;
    }
    Place& place = *places_.at(shard);
    world_.spawn(place.shard, commit(place, recipients, std::move(content)));
}

void SimRelay::reload(const std::string& shaping,
                      const std::function<void(relay::CheckedConfig&)>& change) {
    relay::CheckedConfig next = *checked_;
    ++next.generation;
    next.shaping = shaping_of(shaping, limits_);
    next.shaping.keep_numbers(checked_->shaping.provider_names());
    if (change) change(next);
    checked_ = std::make_shared<const relay::CheckedConfig>(std::move(next));
    const auto use = [](Place* place,
                        std::shared_ptr<const relay::CheckedConfig> checked) -> core::Task<void> {
        place->tls.use(roots_of(*checked));
        place->origin.use(checked);
        place->dispatcher.use(checked);
        co_return;
    };
    for (auto& place : places_)
        world_.spawn(place->shard, use(place.get(), checked_));
    world_.run_for(std::chrono::milliseconds{1});
}

void SimRelay::listen(const core::SocketAddress& address, const std::string& allow) {
    listening_ = true;
    relay::SmtpListenerOptions options;
    options.policy.hostname = "relay.example";
    options.policy.allow = {*core::IpNetwork::parse(allow)};
    options.durable = false;
    options.policy.address_literals = rules_.address_literals;
    options.admission =
        std::make_shared<relay::Admission>(options.policy.allow, options.max_connections);
    for (auto& place : places_) {
        place->ingress = std::make_unique<relay::SmtpIngress>(place->shard, options, place->origin,
                                                              place->metrics, place->events);
        const auto opened = place->ingress->open(address);
        PH_ASSERT(opened.has_value());
        world_.spawn(place->shard, place->ingress->run());
    }
}

void SimRelay::announce(const std::string& recipient, std::string content) {
    contents_[recipient] = std::move(content);
}

std::uint64_t SimRelay::ambiguous_ends() const {
    std::uint64_t all = 0;
    for (const auto& place : places_)
        all += place->metrics.ambiguous_ends().value();
    return all;
}

std::size_t SimRelay::waiting() const {
    std::size_t count = 0;
    for (const auto& place : places_)
        count += place->origin.messages();
    return count;
}

bool SimRelay::run_until_drained(core::Duration limit) {
    world_.run_for(std::chrono::milliseconds{1});  // lets what was injected get in
    return world_.run_until([this] { return waiting() == 0; }, limit);
}

core::Task<void> SimRelay::close_place(Place& place, core::Instant deadline) {
    if (place.spool != nullptr) place.spool->stop_recovery();
    while (place.recovering)
        co_await core::Yield(place.shard.reactor());
    if (place.ingress != nullptr) co_await place.ingress->drain_and_close();
    place.origin.stop_accepting();
    if (place.spool != nullptr || place.cached != nullptr) place.origin.start_closing();
    if (place.cached != nullptr) {
        place.cached->stop();
        place.dns.close();
    }
    co_await place.dispatcher.close(deadline);
    co_await place.origin.settled(deadline + std::chrono::seconds{10});
    place.stopped.set();
    if (reporter_ != nullptr) {
        place.sessions->hand_over(0, *reporter_, true);
        if (&place == places_.front().get()) co_await reporter_->close(places_.size());
    }
    co_await place.origin.end_reports();
    if (place.spool != nullptr) co_await place.spool->close();
    if (place.sts != nullptr) co_await place.sts->close();
    place.lost = co_await place.origin.close();
    place.events.close();
}

bool SimRelay::close(core::Duration deadline) {
    std::size_t left = places_.size();
    if (closing_ != nullptr) closing_->set();
    const core::Instant end = world_.clock().now() + deadline;
    const auto counted = [](core::Task<void> task, std::size_t& open) -> core::Task<void> {
        co_await task;
        --open;
    };
    for (auto& place : places_) {
        world_.spawn(place->shard, counted(close_place(*place, end), left));
    }
    closed_ = world_.run_until([&left] { return left == 0; }, std::chrono::hours{2});
    if (closed_ && back_ != nullptr) back_->end();
    return closed_;
}

metrics::ShardMetrics& SimRelay::metrics(std::size_t shard) {
    return places_.at(shard)->metrics;
}

const relay::Router& SimRelay::router(std::size_t shard) const {
    return places_.at(shard)->origin.router();
}

const relay::LargestSites& SimRelay::largest(std::size_t shard) const {
    return places_.at(shard)->largest;
}

relay::EgressTls& SimRelay::tls(std::size_t shard) {
    return places_.at(shard)->tls;
}

std::size_t SimRelay::paths() const {
    std::size_t all = 0;
    for (const auto& place : places_)
        all += place->dispatcher.paths();
    return all;
}

const std::vector<Recorded>& SimRelay::events() const {
    for (const auto& place : places_) {
        if (!closed_) place->events.flush();
    }
    std::string_view lines = std::string_view(sink_.lines()).substr(parsed_);
    parsed_ = sink_.lines().size();
    while (!lines.empty()) {
        const auto end = lines.find('\n');
        const std::string_view line = lines.substr(0, end);
        events_.push_back({field(line, "type"), field(line, "recipient"),
                           number(field(line, "code")), number(field(line, "num_attempts")),
                           std::string(line)});
        lines.remove_prefix(end + 1);
    }
    return events_;
}

std::vector<Recorded> SimRelay::events_of(const std::string& recipient) const {
    std::vector<Recorded> records = events();
    std::erase_if(records, [&](const Recorded& one) { return one.recipient != recipient; });
    return records;
}

std::size_t SimRelay::count(const std::string& type) const {
    const std::vector<Recorded>& records = events();
    return static_cast<std::size_t>(std::ranges::count(records, type, &Recorded::type));
}

std::vector<std::string> SimRelay::audit(const std::vector<SimMx*>& servers, Audit how) const {
    std::vector<std::string> wrong;
    if (refused_ > 0) wrong.push_back("messages were refused: " + std::to_string(refused_));
    struct Seen {
        std::size_t receptions = 0;
        std::vector<std::string> finals;
        std::size_t takes = 0;
        std::size_t told = 0;  // with a 250 that reached us
    };
    std::map<std::string, Seen> seen;
    for (const Recorded& one : events()) {
        if (is_final(one.type)) seen[one.recipient].finals.push_back(one.type);
        if (one.type == "Reception") ++seen[one.recipient].receptions;
    }
    for (const SimMx* server : servers) {
        for (const std::string& violation : server->violations())
            wrong.push_back(violation);
        for (const Taken& taken : server->ledger()) {
            Seen& recipient = seen[taken.recipient];
            ++recipient.takes;
            if (server->reply_arrived(taken)) ++recipient.told;
            const auto expected = contents_.find(taken.recipient);
            if (expected == contents_.end()) {
                wrong.push_back(taken.recipient + ": was never injected");
            } else if (!is_copy(taken.content, expected->second, listening_)) {
                wrong.push_back(taken.recipient + ": content differs");
            }
        }
    }
    for (const auto& [recipient, content] : contents_) {
        const Seen& one = seen[recipient];
        // A client that never saw our 250 sends again: each acceptance counts for itself.
        const std::size_t accepted = listening_ ? one.receptions : 1;
        if (one.finals.size() != accepted) {
            wrong.push_back(recipient + ": " + std::to_string(one.finals.size()) +
                            " final events for " + std::to_string(accepted) + " acceptances");
            continue;
        }
        const auto delivered =
            static_cast<std::size_t>(std::ranges::count(one.finals, std::string("Delivery")));
        const bool enough = how == Audit::repetition_allowed && one.told > delivered;
        if (one.told != delivered && !enough) {
            wrong.push_back(recipient + ": " + std::to_string(delivered) +
                            " deliveries, but told 250 " + std::to_string(one.told) +
                            " times and taken " + std::to_string(one.takes) + " times");
        }
    }
    return wrong;
}

}  // namespace sim
