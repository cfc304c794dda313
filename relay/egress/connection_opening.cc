// The opening of a Connection: one address of a host, from connecting to where mail may begin, and
// what is tried there once more over a new connection: clear text where TLS is wanted and broken,
// HELO where EHLO is refused. Which address comes next is in connection.cc.
#include <algorithm>
#include <utility>

#include "core/base/log.h"
#include "core/net/connector.h"
#include "relay/egress/connection.h"
#include "relay/message/own_disposition.h"

namespace relay {

namespace {

// Our network or machine, not the host: one without IPv6, or out of descriptors, is no fault of a
// host that has it.
bool is_no_route(const std::error_code& error) {
    return error.value() == ENETUNREACH || error.value() == EADDRNOTAVAIL ||
           error.value() == EAFNOSUPPORT || error.value() == EMFILE || error.value() == ENFILE;
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

std::int64_t minutes_of(core::Duration span) {
    return std::chrono::duration_cast<std::chrono::minutes>(span).count();
}

}  // namespace

core::Task<bool> Connection::try_address(Candidate candidate, core::IpAddress address,
                                         TlsDemand demand) {
    endpoint_ = candidate.host + ":" + std::to_string(candidate.port);
    peer_ = core::SocketAddress{address, candidate.port}.to_string();
    peer_name_ = candidate.host;
    peer_address_ = address.to_string();
    source_address_.clear();
    TlsMemory& memory = context_.tls.memory();
    HostMemory::Habits* known = context_.hosts.known_habits(endpoint_);
    may_say_helo_ = may_do_without_ehlo(demand);
    says_helo_ = may_say_helo_ && known != nullptr && known->helo_only.ask(context_.shard.now());
    if (demand.may_go_clear() && memory.avoids(endpoint_, context_.shard.now())) {
        demand.avoided = true;
    }
    may_go_clear_ = demand.may_go_clear() && !demand.avoided;
    if (co_await try_once(candidate, address, demand)) co_return true;
    if (aborted_) co_return false;
    if (goes_clear_) {
        demand.policy = TlsPolicy::none;
        may_go_clear_ = false;
    } else if (goes_helo_) {
        says_helo_ = true;
    } else {
        co_return false;
    }
    const bool opened = co_await try_once(candidate, address, demand);
    if (opened && says_helo_) note_helo_only();
    co_return opened;
}

// STARTTLS, AUTH and REQUIRETLS need EHLO.
bool Connection::may_do_without_ehlo(const TlsDemand& demand) const {
    const bool clear = demand.policy == TlsPolicy::none || demand.may_go_clear();
    const SiteFacts& site = path_.site();
    return clear && site.tls_request != TlsRequest::required &&
           (site.smarthost == nullptr || !site.smarthost->has_login());
}

void Connection::note_helo_only() {
    Belief& belief = context_.hosts.habits(endpoint_).helo_only;
    const core::Duration hold = belief.learn(context_.shard.now());
    if (hold == core::Duration{}) return;
    core::log_info("{} [{}] does not take EHLO: HELO for {} min, then one session says EHLO again",
                   peer_name_, peer_address_, minutes_of(hold));
}

// TLS that is wanted but not demanded did not work: a new connection in clear text (never the same
// one) at once, and for this host for some minutes. A connection that is lost is no evidence while
// TLS worked in other sessions.
void Connection::note_broken_tls(TlsMemory::Fault fault) {
    if (!may_go_clear_ || aborted_) return;
    TlsMemory& memory = context_.tls.memory();
    const core::Instant now = context_.shard.now();
    const core::Duration hold = memory.note_broken(endpoint_, fault, now);
    goes_clear_ = fault != TlsMemory::Fault::fruitless && memory.is_avoided(endpoint_, now);
    if (hold == core::Duration{}) return;
    core::log_warning(
        "{} [{}]: no TLS ({}): clear text for {} min, then one session tries TLS again", peer_name_,
        peer_address_, core::escaped(dialogue_->ending().reply.text), minutes_of(hold));
}

core::Task<bool> Connection::try_once(Candidate candidate, core::IpAddress address,
                                      TlsDemand demand) {
    demand_ = std::move(demand);
    tls_due_ = untrusted_ = goes_clear_ = goes_helo_ = lost_ = false;
    tls_protocol_ = tls_cipher_ = {};
    const core::SocketAddress peer{address, candidate.port};
    peer_name_ = candidate.host;
    peer_address_ = address.to_string();
    const core::Instant deadline = context_.shard.now() + times_.connect;
    auto connected =
        co_await core::connect(context_.shard, peer, std::nullopt, deadline, &connecting_);
    const std::size_t destination = path_.site().destination;
    if (!connected) {
        context_.metrics.connect(destination, metric_of(connected.error()));
        Disposition why = network_failure("connecting to " + candidate.host + " [" +
                                          peer.to_string() + "]: " + connected.error().message());
        why.peer_name = peer_name_;
        why.peer_address = peer_address_;
        no_route_ = is_no_route(connected.error());
        if (!no_route_ && !aborted_) note_host_failed(why);
        if (no_route_) {
            unrouted_ = std::move(why);
        } else {
            note_failure(std::move(why));
        }
        co_return false;
    }
    stream_ = std::move(*connected);
    if (aborted_) stream_->abort();  // it was there just before
    source_address_ = stream_->local().ip.to_string();
    if (demand_.avoided) {
        count_tls(metrics::TlsResult::avoided);
        demand_.policy = TlsPolicy::none;
    }
    start_dialogue();
    if (co_await greet()) co_return true;
    note_refused_opening();
    co_await stream_->close();
    stream_.reset();
    co_return false;
}

void Connection::start_dialogue() {
    const core::Instant now = context_.shard.now();
    began_ = path_.choose_manners();
    dialogue_.emplace(context_.options.ehlo_name, began_.pipelining, began_.chunking);
    dialogue_->keep_to(times_);
    dialogue_->want_tls(demand_.wish());
    if (says_helo_) dialogue_->say_helo();
    HostMemory::Habits* known = context_.hosts.known_habits(endpoint_);
    sparing_noted_ = known != nullptr && known->refuses_parameters.ask(now);
    if (sparing_noted_) dialogue_->spare_parameters();
    if (path_.site().tls_request == TlsRequest::required) dialogue_->require_tls();
    login_ = context_.tls.login_for(path_.site());
    if (login_ != nullptr) dialogue_->log_in(*login_, EgressTls::new_nonce());
    over_ = false;
    clock_.start_opening(now);
    tls_due_ = demand_.implicit();
}

// The host does not let us begin.
void Connection::note_refused_opening() {
    context_.metrics.connect(path_.site().destination, dialogue_->ending().local
                                                           ? metrics::Connect::broken
                                                           : metrics::Connect::greeting);
    Disposition why = dialogue_->ending();
    if (why.command == "AUTH") {  // nothing is delivered there until somebody looks at it
        core::log_error("site {}: {} [{}] does not let us in by AUTH: {} {}", path_.site().name,
                        peer_name_, peer_address_, why.reply.code, core::escaped(why.reply.text));
    }
    if (says_helo_ && why.command == "HELO") {  // the next session says EHLO again
        context_.hosts.habits(endpoint_).helo_only.lift(context_.shard.now());
    }
    why.scope = Scope::site;
    goes_helo_ = !goes_clear_ && refuses_ehlo(why);
    // A host that refuses to talk is skipped; mail is not returned for it before max_age, unless it
    // says that it never takes any (RFC 7504), or the destination's table says so.
    // What only some mail wants of it is not held against the host.
    const bool lacking = dialogue_->tls_missing() || dialogue_->requirement_missing();
    const bool opening =
        !lacking && !goes_clear_ && why.command != "STARTTLS" && why.command != "AUTH";
    const bool never = why.reply.code == 521 || (opening && why.reply.code >= 500 &&
                                                 path_.site().limits.bounce_upon_5xx_greeting);
    why.outcome = never ? Outcome::bounced : Outcome::deferred;
    refused_ = opening && !why.local && why.reply.code < 500;
    if (opening && !never && !aborted_ && !goes_helo_) {
        why.peer_name = peer_name_;
        why.peer_address = peer_address_;
        note_host_failed(why);
    }
    note_failure(lacking || untrusted_ ? without_tls(std::move(why)) : std::move(why));
}

// Old servers, and some filters before newer ones, answer EHLO by an error of another kind than RFC
// 5321 section 4.1.1.1 has, or by closing. Nothing else can be told from that connection; a close
// counts only where EHLO did not work lately.
bool Connection::refuses_ehlo(const Disposition& why) const {
    if (!may_say_helo_ || says_helo_ || why.command != "EHLO" || !tls_protocol_.empty()) {
        return false;
    }
    if (!why.local) return why.reply.code == 501 || why.reply.code == 503 || why.reply.code == 554;
    return lost_ && !context_.hosts.worked_lately(peer_, context_.shard.now());
}

// Mail with REQUIRETLS goes back at once when no host has what it takes (RFC 8689 section 4.2.1).
Disposition Connection::without_tls(Disposition why) const {
    if (path_.site().tls_request != TlsRequest::required) return why;
    const bool unsupported = dialogue_ && dialogue_->requirement_missing();
    return without_required_tls(std::move(why), unsupported);
}

core::Task<bool> Connection::greet() {
    while (!over_) {
        if (tls_due_ && !co_await secure()) co_return false;
        if (dialogue_->can_begin()) {
            if (tls_protocol_.empty()) note_clear_text();
            co_return true;
        }
        parts_.clear();
        dialogue_->compose(parts_);
        if (!parts_.empty() && !co_await write()) break;
        if (!co_await read()) break;
    }
    const Disposition& why = dialogue_->ending();
    if (dialogue_->tls_refused()) {
        note_broken_tls(TlsMemory::Fault::shown);
        count_tls(metrics::TlsResult::refused, {.reason = why.reply.text});
    } else if (dialogue_->tls_missing()) {
        note_clear_text();
    } else if (why.command == "STARTTLS") {
        const bool lost =
            why.reply.code == 421 || (why.local && why.reply.enhanced == EnhancedCode{4, 4, 2});
        if (!dialogue_->tls_injected()) {
            note_broken_tls(lost ? TlsMemory::Fault::lost : TlsMemory::Fault::shown);
        }
        if (why.local) count_tls(metrics::TlsResult::failed, {.reason = why.reply.text});
    } else if (!tls_protocol_.empty() && why.local && why.command == "EHLO") {
        note_broken_tls(TlsMemory::Fault::lost);
    }
    co_return false;
}

// From here on everything goes through TLS, or nothing goes.
core::Task<bool> Connection::secure() {
    tls_due_ = false;
    if (stream_->has_input() && !demand_.implicit()) {  // a moment later than the reply: the same
        const auto behind = co_await stream_->read();
        dialogue_->tls_injection(behind ? *behind : std::string_view{});
        if (!dialogue_->tls_injected()) note_broken_tls(TlsMemory::Fault::shown);
        count_tls(metrics::TlsResult::failed, {.reason = dialogue_->ending().reply.text});
        co_return false;
    }
    auto wrapped = context_.tls.wrap(std::move(stream_), demand_, path_.site(), endpoint_);
    core::TlsStream& tls = *wrapped;
    stream_ = std::move(wrapped);
    stream_->set_deadline(clock_.write_due(context_.shard.now(), times_.tls_handshake));
    if (!demand_.implicit()) context_.tls.memory().note_offered(endpoint_);
    if (!co_await tls.handshake()) {
        untrusted_ = tls.fault() >= core::TlsFault::untrusted;
        count_tls(untrusted_ ? metrics::TlsResult::untrusted : metrics::TlsResult::failed,
                  {tls.fault(), tls.reason()});
        dialogue_->tls_failed("TLS: " + tls.reason());
        note_broken_tls(tls.fault() == core::TlsFault::network ? TlsMemory::Fault::lost
                                                               : TlsMemory::Fault::shown);
        co_return false;
    }
    tls_protocol_ = tls.engine().protocol();
    tls_cipher_ = tls.engine().cipher();
    const bool verified = tls.engine().authenticated();
    count_tls(verified ? metrics::TlsResult::verified : metrics::TlsResult::unverified,
              {.kind = tls.engine().certificate_fault()});
    dialogue_->tls_started(verified);
    co_return true;
}

void Connection::count_tls(metrics::TlsResult result, SessionOpenings::Fault fault) {
    if (demand_.policy == TlsPolicy::none) return;
    openings_.ended(demand_, result, {peer_name_, source_address_, peer_address_},
                    std::move(fault));
    context_.metrics.tls_session(path_.site().destination, demand_.counted_as(), result);
}

// A host that offered TLS and does so no longer may be somebody else (RFC 3207 section 6).
void Connection::note_clear_text() {
    if (demand_.policy == TlsPolicy::none) return;
    const bool stripped = context_.tls.memory().offered_before(endpoint_);
    count_tls(stripped ? metrics::TlsResult::stripped : metrics::TlsResult::not_offered);
    if (!stripped) return;
    context_.log->note(core::LogLevel::kWarning, "STARTTLS was offered before and is not now",
                       peer_name_, peer_address_);
}

}  // namespace relay
