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

relay::ShapingPolicy shaping_of(const std::string& text, const relay::ShapingLimits& limits,
                                const std::vector<relay::EgressSource>& sources) {
    std::vector<std::string> names;
    for (const relay::EgressSource& each : sources)
        names.push_back(each.name);
    auto loaded = relay::ShapingPolicy::parse({{"shaping.toml", text}}, limits, names);
    PH_ASSERT(loaded.has_value());
    for (const relay::Problem& warning : loaded->warnings)
        PH_ASSERT(!warning.sentence.contains("no effect"));
    return std::move(loaded->policy);
}

std::shared_ptr<const relay::CheckedConfig> checked_of(RelayOptions& options) {
    relay::CheckedConfig checked{
        .config = relay::default_config(),
        .shaping = shaping_of(options.shaping, options.limits, options.sources),
        .egress = {options.sources, options.pools, nullptr},
        .bounce = relay::BounceRules::built_in(),
        .warnings = {},
        .tls_roots = std::move(options.tls_roots),
    };
    checked.config.routes = std::move(options.routes);
    checked.config.shaping.defaults = options.limits;
    checked.config.delivery.port = 25;
    checked.config.delivery.tls = options.tls;
    checked.automation = *relay::ReplyRules::compile(checked.shaping);
    checked.tenants = std::make_shared<const relay::TenantPolicies>(std::move(options.tenants));
    return std::make_shared<const relay::CheckedConfig>(std::move(checked));
}

bool is_final(const std::string& type) {
    return type == "Delivery" || type == "Bounce" || type == "Expiration" || type == "AdminBounce";
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
          origin(on, metrics, relay.origin_parts(*this, options, on_disk)),
          delivery(on, metrics, relay.delivery_parts(*this, options)),
          control(on, metrics, relay.control_parts(*this)) {
        relay.exchange_.attach(on.id(), origin.origin(), delivery.dispatcher());
    }
    relay::StsStore no_policies;
    core::Shard& shard;
    SimDns dns;
    std::unique_ptr<dns::CachedResolver> cached;  // null: not remembered
    dns::Resolver& resolver;
    std::unique_ptr<relay::MtaSts> sts;
    metrics::ShardMetrics metrics;
    relay::LargestSites largest;
    relay::OriginSide origin;
    relay::DeliverySide delivery;
    relay::ControlSide control;
    std::unique_ptr<relay::IntakeSide> intake;  // while it listens
};

relay::OriginParts SimRelay::origin_parts(Place& place, const RelayOptions& options,
                                          const relay::SpoolOptions& on_disk) {
    relay::OriginParts parts{
        .options = {.memory_limit = options.memory_limit,
                    .hostname = "relay.example",
                    .delay_warning = delay_warning_},
        .intervals = schedule_,
        .tenants = tenants_,
        .router = relay::RouterParts{checked_, rules_, place.resolver, place.sts.get()},
        .exchange = exchange_,
        .sink = sink_};
    if (disk_ != nullptr) parts.spool.emplace(*disk_, *space_, on_disk, back_.get());
    return parts;
}

relay::DeliveryParts SimRelay::delivery_parts(Place& place, const RelayOptions& options) {
    relay::StsStore* const known = options.known != nullptr ? options.known : &place.no_policies;
    return {.checked = checked_,
            .options = egress_,
            .resolver = place.resolver,
            .rules = rules_,
            .route_rules = route_rules_,
            .exchange = exchange_,
            .counted_by = options.reports != nullptr ? known : nullptr,
            .in_hand = back_ == nullptr ? nullptr : &back_->in_hand(place.shard.id()),
            .largest = &place.largest,
            .automation = relay::AutomationParts{automation_, nullptr, {}, options.orders},
            .learned = relay::LearnedParts{learned_shards_, learned_, nullptr, {}}};
}

relay::ControlParts SimRelay::control_parts(Place& place) {
    return {.origin = place.origin, .space = space_.get(), .back = back_.get()};
}

SimRelay::SimRelay(SimWorld& world, SimZone& zone, RelayOptions options)
    : world_(world),
      prepare_(std::move(options.prepare)),
      delay_warning_(options.delay_warning),
      limits_(options.limits),
      sources_(options.sources),
      checked_(checked_of(options)),
      rules_(options.rules),
      schedule_(options.intervals, options.max_age),
      exchange_(world.shards()),
      automation_(world.shards()),
      learned_shards_(world.shards()) {
    PH_ASSERT(learned_.read(options.learned));
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
    for (auto& place : places_) {
        const auto opened = place->origin.open();
        PH_ASSERT(opened.has_value());
    }
    if (options.reports != nullptr) {
        Place& first = *places_.front();
        first.control.report_tls(
            nullptr,
            relay::TlsReporterParts{first.shard, first.resolver, *options.reports,
                                    first.origin.origin(), *disk_, first.metrics, "tls-report",
                                    std::chrono::hours{4}},
            relay::TlsReportSender{"The Relay", "postmaster@relay.example", "tls@relay.example",
                                   "relay.example"});
    }
    for (auto& place : places_) {
        place->delivery.report_to(places_.front()->control.reporter());
        place->origin.start();
        place->control.start();
        place->delivery.start();
    }
}

SimRelay::~SimRelay() {
    PH_ASSERT(closed_);
    places_.clear();  // closes their files
    if (lock_ != core::kNoHandle) disk_->close(lock_);
}

relay::RecoveryReport SimRelay::recovered() const {
    relay::RecoveryReport total;
    for (const auto& place : places_) {
        const relay::RecoveryReport& one = place->origin.report();
        total.segments += one.segments;
        total.messages += one.messages;
        total.recipients += one.recipients;
        total.damaged += one.damaged;
        total.steps += one.steps;
    }
    return total;
}

bool SimRelay::recovery_over() const {
    return std::ranges::none_of(places_,
                                [](const auto& place) { return place->origin.recovering(); });
}

const relay::Spool& SimRelay::spool(std::size_t shard) const {
    return *places_.at(shard)->origin.spool();
}

std::size_t SimRelay::memory(std::size_t shard) const {
    return places_.at(shard)->origin.origin().memory();
}

std::optional<relay::Refusal> SimRelay::check(std::size_t shard, std::size_t octets) const {
    return places_.at(shard)->origin.origin().check(octets);
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
    auto message = place.origin.origin().begin();
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
    const auto committed = co_await place.origin.origin().commit(std::move(message));
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
    next.shaping = shaping_of(shaping, limits_, sources_);
    next.automation = *relay::ReplyRules::compile(next.shaping);
    next.shaping.keep_numbers(checked_->shaping.destination_names());
    if (change) change(next);
    checked_ = std::make_shared<const relay::CheckedConfig>(std::move(next));
    const auto use = [](Place* place,
                        std::shared_ptr<const relay::CheckedConfig> checked) -> core::Task<void> {
        place->origin.use(checked);
        place->delivery.use(checked);
        co_return;
    };
    for (auto& place : places_)
        world_.spawn(place->shard, use(place.get(), checked_));
    world_.run_for(std::chrono::milliseconds{1});
}

void SimRelay::use_orders(std::vector<relay::Order> orders) {
    const auto set = std::make_shared<const relay::OrderSet>(std::move(orders));
    const auto use = [](Place* place,
                        std::shared_ptr<const relay::OrderSet> in_force) -> core::Task<void> {
        place->origin.origin().use_orders(in_force);
        place->delivery.dispatcher().use_orders(in_force);
        co_return;
    };
    for (auto& place : places_)
        world_.spawn(place->shard, use(place.get(), set));
    world_.run_for(std::chrono::milliseconds{1});
}

void SimRelay::retry_now(const relay::Selection& selection) {
    const auto retry = [](Place* place, relay::Selection which) -> core::Task<void> {
        place->origin.origin().retry_now(std::move(which));
        co_return;
    };
    for (auto& place : places_)
        world_.spawn(place->shard, retry(place.get(), selection));
    world_.run_for(std::chrono::milliseconds{1});
}

std::size_t SimRelay::suspended() const {
    std::size_t all = 0;
    for (const auto& place : places_)
        all += place->origin.origin().suspended();
    return all;
}

void SimRelay::listen(const core::SocketAddress& address, const std::string& allow) {
    listening_ = true;
    listener_.addresses = {address};
    listener_.allow = {*core::IpNetwork::parse(allow)};
    const auto admission =
        std::make_shared<relay::Admission>(listener_.allow, listener_.max_connections);
    const relay::Door door{listener_, admission, addresses_};
    for (auto& place : places_) {
        place->intake = std::make_unique<relay::IntakeSide>(
            place->shard, place->metrics,
            relay::IntakeParts{.hostname = "relay.example",
                               .address_literals = rules_.address_literals,
                               .acceptance = place->origin.origin(),
                               .events = place->origin.events()});
        const auto opened = place->intake->start({&door, 1});
        PH_ASSERT(opened.has_value());
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
        count += place->origin.origin().messages();
    return count;
}

bool SimRelay::run_until_drained(core::Duration limit) {
    world_.run_for(std::chrono::milliseconds{1});  // lets what was injected get in
    return world_.run_until([this] { return waiting() == 0; }, limit);
}

// In the order of RelayShard::stop().
core::Task<void> SimRelay::stop(Place& place, relay::StopPhase phase, core::Instant until) {
    if (place.intake != nullptr) co_await place.intake->stop(phase, until);
    co_await place.control.stop(phase);
    co_await place.origin.stop(phase, until);
    if (phase == relay::StopPhase::cut_off && place.cached != nullptr) {
        place.cached->stop();
        place.dns.close();
    }
    if (phase == relay::StopPhase::home && place.sts != nullptr) co_await place.sts->close();
    co_await place.delivery.stop(phase, until);
}

// At once: what is ready has no time to be delivered.
core::Task<void> SimRelay::close_place(Place& place, core::Instant deadline) {
    using relay::StopPhase;
    for (const StopPhase phase : {StopPhase::drain, StopPhase::close})
        co_await stop(place, phase, deadline);
    co_await stop(place, StopPhase::settle, place.shard.now());
    for (const StopPhase phase : {StopPhase::cut_off, StopPhase::home, StopPhase::end})
        co_await stop(place, phase, deadline);
}

bool SimRelay::close(core::Duration deadline) {
    std::size_t left = places_.size();
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
    return places_.at(shard)->origin.origin().router();
}

const relay::TlsReporter& SimRelay::reporter() const {
    return *places_.front()->control.reporter();
}

const relay::LargestSites& SimRelay::largest(std::size_t shard) const {
    return places_.at(shard)->largest;
}

relay::EgressTls& SimRelay::tls(std::size_t shard) {
    return places_.at(shard)->delivery.tls();
}

relay::ActionKeeper& SimRelay::actions() {
    return *places_.front()->delivery.actions();
}

std::string SimRelay::learned() {
    std::string all;
    std::size_t left = places_.size();
    const auto add = [](relay::Dispatcher* paths, std::string* to,
                        std::size_t* open) -> core::Task<void> {
        const auto text = co_await paths->learned();
        PH_ASSERT(text.has_value());
        *to += *text;
        --*open;
    };
    for (auto& place : places_)
        world_.spawn(place->shard, add(&place->delivery.dispatcher(), &all, &left));
    PH_ASSERT(world_.run_until([&left] { return left == 0; }, std::chrono::seconds{1}));
    return all;
}

std::size_t SimRelay::paths() const {
    std::size_t all = 0;
    for (const auto& place : places_)
        all += place->delivery.dispatcher().paths();
    return all;
}

const std::vector<Recorded>& SimRelay::events() const {
    for (const auto& place : places_) {
        if (!closed_) place->origin.events().flush();
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
