#include "relay/egress/path.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/log.h"
#include "relay/egress/connection.h"
#include "relay/message/header_field.h"
#include "relay/message/own_disposition.h"

namespace relay {

namespace {

constexpr std::size_t kHeadForMessageId = 8192;

}  // namespace

TokenBucket Path::connection_bucket(const ShapingLimits& limits) {
    return {limits.max_connection_rate,
            std::min<std::uint64_t>(limits.connection_limit, limits.max_connection_rate.count)};
}

Path::Path(EgressContext& context, const SiteFacts& site)
    : context_(context),
      site_(site),
      message_rate_(site.limits.max_message_rate),
      connection_rate_(connection_bucket(site.limits)),
      manners_(most_pipelining(), context.options.chunking),
      outage_(context.options.pauses()),
      last_used_(context.shard.now()),
      timer_(*this),
      leaving_(context.shard.reactor(), [this] { maintain(); }),
      tasks_(context.shard.reactor()) {}

Path::~Path() {
    PH_ASSERT(connections_.empty() && backlog() == 0 && detours_.empty());
    if (timer_.armed()) context_.shard.reactor().timers().disarm(timer_);
}

void Path::add(Recipient& recipient) {
    last_used_ = context_.shard.now();
    if (closing_) {
        recipient.clear_disposition();
        return send_home(recipient);
    }
    const SiteFacts& latest = recipient.site->facts;
    if (latest.fingerprint != site_.fingerprint) {  // the MX records changed, the set did not
        site_.plan = latest.plan;
        site_.fingerprint = latest.fingerprint;
    }
    const bool unreadable = recipient.disposition().outcome != Outcome::none;
    if (recipient.content_held || unreadable) {  // back from its origin
        --fetching_;
        fetching_octets_ -= recipient.message->size();
    }
    if (unreadable) {
        send_home(recipient);
    } else if (recipient.content_held) {
        fetched_.push_back(recipient);
    } else {
        ready_.push_back(recipient);
    }
    maintain();
}

PipelineMode Path::most_pipelining() const {
    PipelineMode most = context_.options.pipelining;
    if (site_.limits.pipeline_next == PipelineNext::off)
        most = std::min(most, PipelineMode::message);
    return site_.limits.enable_pipelining ? most : PipelineMode::lock_step;
}

std::optional<Manners::Learned> Path::learn(const Manners::Ending& session) {
    Manners::Ending heard = session;
    // "on": a server that loses track behind a dot is believed for its session only.
    const bool behind_dot = heard.ended.pipelining == PipelineMode::message;
    if (behind_dot && site_.limits.pipeline_next == PipelineNext::on) {
        heard.ended.pipelining = heard.began.pipelining;
    }
    return manners_.learn(heard, context_.shard.now());
}

bool Path::carries_more(const std::string& endpoint, std::size_t messages) const {
    return std::ranges::any_of(connections_, [&](const Connection* one) {
        return one->completed() > messages && one->endpoint() == endpoint;
    });
}

// ---- how many connections

void Path::maintain() {
    if (closing_) return;
    expire_old();
    if (expiring_) return wake_at(core::kAtOnce);
    if (!detours_.empty()) open_detour();
    if (backlog() == 0) return;
    wake_idle();
    open_connections();
}

void Path::wake_idle() {
    if (idle_.empty()) return;
    const core::Instant allowed = message_rate_.next_at();
    if (allowed > context_.shard.now()) {
        context_.metrics.throttled(metrics::Throttle::message_rate);
        return wake_at(allowed);
    }
    while (!idle_.empty() && woken_ * kBacklogPerConnection < backlog()) {
        idle_.back()->wake();
        idle_.pop_back();
        ++woken_;
    }
}

void Path::open_connections() {
    const std::size_t by_backlog = (backlog() + kBacklogPerConnection - 1) / kBacklogPerConnection;
    const std::size_t wanted = std::min<std::size_t>(by_backlog, site_.limits.connection_limit);
    while (connections_.size() < wanted && idle_.empty()) {
        const core::Instant now = context_.shard.now();
        if (const auto until = std::max(outage_.paused_until(), hosts_rest_until_); until > now) {
            return wake_at(until);
        }
        // One probe until the site answers again; and no more connections for the rate's sake.
        if (connections_.size() - established_ >= outage_.most_opening()) return;
        if (!connections_.empty() && message_rate_.next_at() > now) {
            return wake_at(message_rate_.next_at());
        }
        if (!connection_rate_.try_take(now)) {
            context_.metrics.throttled(metrics::Throttle::connection_rate);
            return wake_at(connection_rate_.next_at());
        }
        auto connection = std::make_unique<Connection>(context_, *this);
        connections_.push_back(connection.get());
        tasks_.spawn(run(std::move(connection)));
    }
}

core::Task<void> Path::run(std::unique_ptr<Connection> connection) {
    co_await connection->run();
}

void Path::wake_at(core::Instant instant) {
    core::TimerSet& timers = context_.shard.reactor().timers();
    if (timer_.armed()) {
        if (timer_.deadline() <= instant) return;
        timers.disarm(timer_);
    }
    timers.arm(timer_, instant);
}

void Path::becomes_idle(Connection& connection) {
    idle_.push_back(&connection);
}

void Path::becomes_busy(Connection& connection) {
    if (std::erase(idle_, &connection) == 0 && woken_ > 0) --woken_;
}

void Path::established(Connection& connection) {
    ++established_;
    outage_.answered();
    std::erase_if(offers_, [&](const Offer& one) { return one.endpoint == connection.endpoint(); });
    if (offers_.size() >= dns::kMaxMxHosts) offers_.erase(offers_.begin());
    offers_.push_back({connection.endpoint(), connection.offered(), context_.shard.now()});
}

void Path::rest(core::Instant until, const Disposition* why) {
    hosts_rest_until_ = until;
    if (why != nullptr && is_last_hope()) send_all_home(*why);
}

// Of the connection that failed: while another one works, or may yet, what is ready can still be
// delivered.
bool Path::is_last_hope() const {
    return connections_.size() <= 1;
}

void Path::ended(Connection& connection, bool fruitless) {
    std::erase(connections_, &connection);
    std::erase(idle_, &connection);
    if (connection.detour() != nullptr) detouring_ = fruitless = false;
    if (connection.was_established()) {
        --established_;
        if (fruitless && !closing_) {
            outage_.failed(Outage::Failure::fruitless, context_.shard.now());
        }
        if (!fruitless) hosts_rest_until_ = {};  // its place is free
    }
    last_used_ = context_.shard.now();
    maintain();
}

void Path::unreachable(const Disposition& why, Outage::Failure failure) {
    const bool pauses = outage_.failed(failure, context_.shard.now()) == Outage::Finding::outage;
    const bool defers = pauses && is_last_hope();
    context_.log->note(core::LogLevel::kInfo,
                       defers ? "site cannot be reached, its mail is deferred"
                              : "connection to a site failed, others go on",
                       site_.name, fmt::format("{} {}", why.reply.code, why.reply.text));
    if (defers) send_all_home(why);
}

// ---- recipients

Path::Taken Path::take_transaction(Delivery& delivery, const Allowance& allowance) {
    if (closing_) return Taken::nothing;
    expire_old();
    if (expiring_) return wait_for_expiry();
    fetch_ahead();
    if (fetched_.empty() && !hold_front()) return Taken::nothing;
    ReadyQueue& queue = fetched_.empty() ? ready_ : fetched_;
    const auto same = [&queue](const std::string& domain) {
        return core::equals_ignoring_case(domain, queue.front().domain());
    };
    if (allowance.domains != nullptr && std::ranges::none_of(*allowance.domains, same)) {
        return Taken::other_domain;
    }
    if (!message_rate_.try_take(context_.shard.now())) {
        context_.metrics.throttled(metrics::Throttle::message_rate);
        wake_at(message_rate_.next_at());
        return Taken::nothing;
    }
    queue.take_transaction(delivery.recipients, allowance.recipients);
    const auto count = static_cast<std::int64_t>(delivery.recipients.size());
    context_.metrics.left(metrics::Queue::ready, count);
    context_.metrics.entered(metrics::Queue::in_flight, count);
    for (Recipient* recipient : delivery.recipients)
        recipient->move_to(RecipientState::in_flight);
    delivery.note = context_.take_in_hand(*delivery.recipients.front()->message);
    return Taken::taken;
}

// Contents that left memory are asked for ahead of their turn.
void Path::fetch_ahead() {
    while (!ready_.empty() && ready_.front().message->place.holders.evicted() &&
           fetching_ + fetched_.size() < kMostFetching && fetching_octets_ < kMostFetchingOctets) {
        Recipient& recipient = ready_.pop_front();
        ++fetching_;
        fetching_octets_ += recipient.message->size();
        context_.exchange.to_fetch(context_.shard, recipient);
    }
}

bool Path::hold_front() {
    if (ready_.empty()) return false;
    Recipient& recipient = ready_.front();
    // Held already: when it was, the rate allowed nothing.
    recipient.content_held = recipient.content_held || recipient.message->place.holders.try_hold();
    return recipient.content_held;
}

void Path::put_back(Recipient& recipient) {
    recipient.move_to(RecipientState::ready);
    context_.metrics.entered(metrics::Queue::ready);
    if (std::exchange(recipient.content_held, false)) recipient.message->place.holders.let_go();
    ready_.push_front(recipient);
}

void Path::settle(Delivery& delivery, const Connection& connection) {
    const auto count = static_cast<std::int64_t>(delivery.recipients.size());
    context_.metrics.left(metrics::Queue::in_flight, count);
    bool reached = false;
    note_ambiguous_end(delivery, connection);
    for (std::size_t i = delivery.recipients.size(); i-- > 0;) {  // back to front keeps the order
        if (delivery.transaction.results[i].outcome == Outcome::none) {
            put_back(*delivery.recipients[i]);
        }
    }
    // Front to back: a greylist wants to see the same first recipient again (RFC 6647 section 5).
    for (std::size_t i = 0; i < delivery.recipients.size(); ++i) {
        Recipient& recipient = *delivery.recipients[i];
        Disposition& result = delivery.transaction.results[i];
        if (result.outcome == Outcome::none) continue;
        reached = reached || result.scope != Scope::session;
        result.peer_name = connection.peer_name();
        result.peer_address = connection.peer_address();
        result.source_address = connection.source_address();
        result.session_id = connection.session_id();
        result.tls_protocol = connection.tls_protocol();
        result.tls_cipher = connection.tls_cipher();
        result.dsn_passed = delivery.transaction.dsn_passed;
        result.by_passed = delivery.transaction.by_passed;
        const bool elsewhere = result.host_lacks ? another_host_may(recipient)
                                                 : another_family_may(result, connection);
        if (elsewhere && recipient.detours < kMostDetours && !closing_) {
            make_detour(recipient, std::move(result));
            continue;
        }
        if (result.outcome == Outcome::deferred) ++deferred_;
        recipient.set_disposition(std::move(result));
        log_outcome(recipient);
        context_.exchange.to_origin(context_.shard, recipient);
    }
    delivery.recipients.clear();
    delivery.note = {};
    if (reached) outage_.worked(context_.shard.now());
    if (!detours_.empty()) open_detour();
}

// What an operator asks first: why mail of this site waits or came back.
void Path::log_outcome(const Recipient& recipient) const {
    const Disposition& result = recipient.disposition();
    if (result.outcome != Outcome::deferred && result.outcome != Outcome::bounced) return;
    const bool deferred = result.outcome == Outcome::deferred;
    context_.log->note(core::LogLevel::kInfo, deferred ? "mail is deferred" : "mail is refused",
                       site_.name,
                       fmt::format("{} [{}] to {}: {} {}", result.peer_name, result.peer_address,
                                   result.command, result.reply.code, result.reply.text));
}

// The server may have the message, and will be given it again (RFC 5321 section 3.8).
void Path::note_ambiguous_end(const Delivery& delivery, const Connection& connection) {
    if (!std::ranges::any_of(delivery.transaction.results, &Disposition::ambiguous_end)) return;
    context_.metrics.ambiguous_end();
    const Message& message = *delivery.recipients.front()->message;
    const std::string head = message.content.head(kHeadForMessageId);
    core::log_warning(
        "message {} (Message-ID {}) to {} [{}]: no reply to the end of data; it goes "
        "again and may arrive twice",
        message.id.to_string(), core::escaped(header_field(head, "Message-ID")),
        connection.peer_name(), connection.peer_address());
}

void Path::expire_old() {
    const core::WallTime now = context_.shard.wall();
    core::SliceCount slice;
    expiring_ = false;
    for (ReadyQueue* queue : {&fetched_, &ready_, &detours_})
        expiring_ = !expire_front(*queue, now, slice) || expiring_;
}

void Path::expire_waiting() {
    expire_old();
    if (expiring_) wake_at(core::kAtOnce);
}

Path::Taken Path::wait_for_expiry() {
    wake_at(core::kAtOnce);
    return Taken::nothing;
}

core::Duration Path::max_age() const {
    const RetryRule* rule = site_.limits.retry.get();
    return rule != nullptr && rule->max_age > core::Duration{} ? rule->max_age
                                                               : context_.options.max_age;
}

core::Duration Path::time_left(const Message& message) const {
    core::WallTime end = message.created + max_age();
    if (message.expires() != core::WallTime{}) end = std::min(end, message.expires());
    const DeliverBy& by = message.deliver_by();
    if (by.expires(by.deadline)) end = std::min(end, by.deadline);
    return end - context_.shard.wall();
}

bool Path::expire_front(ReadyQueue& queue, core::WallTime now, core::SliceCount& slice) {
    const core::Duration age = max_age();
    const auto is_over = [&](const Message& message) {
        return now - message.created >= age || message.expires_by(now);
    };
    while (!queue.empty() && is_over(*queue.front().message)) {
        if (slice.full()) return false;
        Recipient& recipient = queue.pop_front();
        context_.metrics.left(metrics::Queue::ready);
        recipient.set_disposition(message_expired());
        context_.exchange.to_origin(context_.shard, recipient);
    }
    return true;
}

void Path::send_home(Recipient& recipient) {
    context_.metrics.left(metrics::Queue::ready);
    context_.exchange.to_origin(context_.shard, recipient);
}

void Path::send_all_home(const Disposition& why) {
    for (ReadyQueue* queue : {&fetched_, &ready_, &detours_}) {
        if (why.outcome == Outcome::deferred) deferred_ += queue->size();
        leaving_.add(*queue, [this, why](Recipient& recipient) {
            recipient.set_disposition(why);
            send_home(recipient);
        });
    }
}

std::vector<std::string> Path::waiting_domains() {
    std::vector<std::string> domains;
    std::size_t looked = 0;
    const auto look = [&](Recipient& recipient) {
        const std::string_view domain = recipient.domain();
        const bool known = !domains.empty() && core::equals_ignoring_case(domains.back(), domain);
        if (known || domains.size() >= kMostWaitingDomains) return;
        const auto same = [domain](const std::string& one) {
            return core::equals_ignoring_case(one, domain);
        };
        if (std::ranges::none_of(domains, same)) domains.emplace_back(domain);
    };
    for (ReadyQueue* queue : {&fetched_, &ready_, &detours_}) {
        queue->for_each_of_first(kMostLookedThrough - looked, look);
        looked = std::min(kMostLookedThrough, looked + queue->size());
    }
    return domains;
}

// ---- the end

bool Path::unused_since(core::Instant instant) const {
    return connections_.empty() && detours_.size() == 0 && fetching_ == 0 && leaving_.empty() &&
           tasks_.running() == 0 && std::max(last_used_, outage_.paused_until()) < instant;
}

core::Task<void> Path::close(core::Instant deadline) {
    closing_ = true;
    // Millions that a failed site defers take longer than there is time: nothing is said of those
    // that are left, and the next run tries them.
    leaving_.handle_all([this](Recipient& recipient) {
        recipient.clear_disposition();
        send_home(recipient);
    });
    send_all_home({});
    for (Connection* connection : idle_)
        connection->wake();
    idle_.clear();
    if (timer_.armed()) context_.shard.reactor().timers().disarm(timer_);
    // Nothing of theirs is in flight, and they would get nothing any more.
    for (Connection* connection : connections_) {
        if (connection->is_opening()) connection->abort();
    }
    core::Event never(context_.shard.reactor());
    while (!connections_.empty() && context_.shard.now() < deadline) {
        const core::Instant step = context_.shard.now() + std::chrono::milliseconds{50};
        co_await never.wait(std::min(step, deadline));
    }
    for (Connection* connection : connections_)
        connection->abort();
    co_await tasks_.close();
    send_all_home({});
    co_await leaving_.finish();
}

}  // namespace relay
