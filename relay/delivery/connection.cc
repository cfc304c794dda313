#include "relay/delivery/connection.h"

#include <cstdio>
#include <utility>

#include "core/base/log.h"
#include "relay/message/own_disposition.h"

namespace relay {

namespace {

std::string new_session_id(core::Prng& prng) {
    char text[16];
    std::snprintf(text, sizeof text, "%013llx", static_cast<unsigned long long>(prng.next() >> 12));
    return text;
}

// Our network or machine, not the host: one without IPv6, or out of descriptors or ports, is no
// fault of a host that has it.
bool is_no_route(const std::error_code& error) {
    return error.value() == ENETUNREACH || error.value() == EADDRNOTAVAIL ||
           error.value() == EADDRINUSE || error.value() == EAFNOSUPPORT ||
           error.value() == EMFILE || error.value() == ENFILE;
}

metrics::Connect metric_of(const std::error_code& error) {
    switch (error.value()) {
        case ECONNREFUSED:
            return metrics::Connect::refused;
        case ETIMEDOUT:
            return metrics::Connect::timeout;
        case ECONNRESET:
        case EPIPE:
            return metrics::Connect::broken;
        default:
            return metrics::Connect::unreachable;
    }
}

}  // namespace

Connection::Connection(EgressContext& context, WorkSource& source, std::optional<Detour> detour)
    : Worker(std::move(detour)),
      context_(context),
      source_(source),
      times_(source.site().limits.time_limits()),
      id_(new_session_id(context.shard.prng())),
      openings_(context.sessions, source.site()),
      walk_(context, source.site(), this->detour(), openings_) {}

core::Task<void> Connection::run() {
    SessionEnd end = SessionEnd::never_open;
    if (co_await open()) {
        if (orders_ != Orders::go_on) session_->retire();
        end = co_await session_->serve();
        if (const Disposition* why = session_->turned_away_by()) source_.turned_away(*this, *why);
        co_await session_->close();
    } else if (orders_ != Orders::abort) {
        report_failure();
    }
    source_.ended(*this, end);
}

void Connection::wake() {
    if (session_) session_->wake();
}

void Connection::retire() {
    if (orders_ == Orders::go_on) orders_ = Orders::retire;
    if (session_) session_->retire();
}

void Connection::abort() {
    orders_ = Orders::abort;
    walk_.stop();
    connecting_.stop();
    if (session_) session_->abort();
}

const std::string& Connection::endpoint() const {
    static const std::string none;
    return session_ ? session_->endpoint() : none;
}

core::Task<bool> Connection::open() {
    while (std::optional<HostTarget> target = co_await walk_.next()) {
        if (co_await try_target(std::move(*target))) co_return true;
    }
    co_return false;
}

core::Task<bool> Connection::try_target(HostTarget target) {
    Approach approach = approach_to(std::move(target));
    for (bool first = true; orders_ != Orders::abort; first = false) {
        std::unique_ptr<core::ByteStream> stream = co_await connect(approach.target);
        if (stream == nullptr) co_return false;
        session_.emplace(SessionParts{context_, source_, *this, openings_, times_, id_}, approach,
                         std::move(stream));
        if (orders_ == Orders::abort) session_->abort();  // it was there just before
        auto opened = co_await session_->open();
        if (opened) {
            if (!first && approach.hello == Approach::Hello::helo) note_helo_only(approach.target);
            co_return true;
        }
        co_await session_->close();
        walk_.failed(opened.error().how, std::move(opened.error().why));
        switch (opened.error().again) {
            case Session::Again::no:
                co_return false;
            case Session::Again::in_clear_text:
                approach.target.demand.policy = TlsPolicy::none;
                approach.may_go_clear = false;
                break;
            case Session::Again::by_helo:
                approach.hello = Approach::Hello::helo;
                break;
        }
    }
    co_return false;
}

// Null: the walk knows why.
core::Task<std::unique_ptr<core::ByteStream>> Connection::connect(HostTarget target) {
    const core::Instant deadline = context_.shard.now() + times_.connect;
    const std::shared_ptr<const EgressSource> egress = source_.site().source;
    std::optional<core::SocketAddress> from;
    if (egress != nullptr) {
        const auto address = EgressSource::for_peer(egress->addresses, target.address);
        if (address) from = core::SocketAddress{*address, 0};
    }
    if (egress != nullptr && egress->proxied()) {
        walk_.failed(HostWalk::Failed::source, network_failure("proxies are not available"));
        co_return nullptr;
    }
    auto connected =
        co_await core::connect(context_.shard, target.peer(), from, deadline, &connecting_);
    if (connected) co_return std::move(*connected);
    if (from && connected.error().value() == EADDRNOTAVAIL) {
        walk_.failed(HostWalk::Failed::source, network_failure("binding " + from->ip.to_string() +
                                                               ": " + connected.error().message()));
        co_return nullptr;
    }
    context_.metrics.connect(source_.site().destination, metric_of(connected.error()));
    Disposition why =
        network_failure("connecting to " + target.host + " [" + target.peer().to_string() +
                        "]: " + connected.error().message());
    HostWalk::Failed how = HostWalk::Failed::host;
    if (orders_ == Orders::abort) how = HostWalk::Failed::this_try;
    if (is_no_route(connected.error())) how = HostWalk::Failed::no_route;
    walk_.failed(how, std::move(why));
    co_return nullptr;
}

// By what is known of the host.
Approach Connection::approach_to(HostTarget target) {
    const core::Instant now = context_.shard.now();
    const std::string endpoint = target.endpoint();
    Approach approach;
    if (may_do_without_ehlo(target.demand)) {
        HostMemory::Habits* known = context_.hosts.known_habits(source_.site().learned(endpoint));
        const bool helo_only = known != nullptr && known->helo_only.ask(now);
        approach.hello = helo_only ? Approach::Hello::helo : Approach::Hello::ehlo_or_helo;
    }
    if (target.demand.may_go_clear()) {
        target.demand.avoided = context_.tls.memory().avoids(endpoint, now);
        approach.may_go_clear = !target.demand.avoided;
    }
    approach.target = std::move(target);
    return approach;
}

// STARTTLS, AUTH and REQUIRETLS need EHLO.
bool Connection::may_do_without_ehlo(const TlsDemand& demand) const {
    const bool clear = demand.policy == TlsPolicy::none || demand.may_go_clear();
    const SiteFacts& site = source_.site();
    return clear && site.tls_request != TlsRequest::required &&
           (site.smarthost == nullptr || !site.smarthost->has_login());
}

void Connection::note_helo_only(const HostTarget& target) {
    Belief& belief = context_.hosts.habits(source_.site().learned(target.endpoint())).helo_only;
    const core::Duration hold = belief.learn(context_.shard.now());
    if (hold == core::Duration{}) return;
    core::log_info("{} [{}] does not take EHLO: HELO for {} min, then one session says EHLO again",
                   target.host, target.address.to_string(),
                   std::chrono::duration_cast<std::chrono::minutes>(hold).count());
}

void Connection::report_failure() {
    if (openings_.any()) openings_.failed(source_.waiting_domains());
    NotOpened end = walk_.ending();
    const bool tried = end.because != NotOpened::Because::resting;
    if (tried && end.why.outcome != Outcome::none) end.why.session_id = id_;
    source_.not_opened(*this, end);
}

}  // namespace relay
