// The opening of a Session: from the greeting to where mail may begin, and what a server that does
// not let us begin means: for its host, and for another try at the same address.
#include <utility>

#include "core/base/log.h"
#include "core/net/tls_stream.h"
#include "relay/delivery/session.h"

namespace relay {

core::Task<std::expected<void, Session::Refusal>> Session::open() {
    TlsDemand& demand = approach_.target.demand;
    const core::Instant now = context_.shard.now();
    if (demand.avoided) {
        count_tls(metrics::TlsResult::avoided);
        demand.policy = TlsPolicy::none;
    }
    dialogue_.keep_to(times_);
    dialogue_.want_tls(demand.wish());
    if (approach_.hello == Approach::Hello::helo) dialogue_.say_helo();
    HostMemory::Habits* known = context_.hosts.known_habits(learned_endpoint_);
    spares_parameters_ = known != nullptr && known->refuses_parameters.ask(now);
    if (spares_parameters_) dialogue_.spare_parameters();
    if (site_.tls_request == TlsRequest::required) dialogue_.require_tls();
    login_ = context_.tls.login_for(site_);
    if (login_ != nullptr) dialogue_.log_in(*login_, EgressTls::new_nonce());
    clock_.start_opening(now);
    if (demand.implicit()) move_to(Step::tls_due);
    if (!co_await greet()) co_return std::unexpected(refusal());
    move_to(Step::serving);
    co_return std::expected<void, Refusal>{};
}

core::Task<bool> Session::greet() {
    while (!is_over()) {
        if (step_ == Step::tls_due && !co_await secure()) co_return false;
        if (dialogue_.can_begin()) {
            if (encryption_ != Encryption::on) note_clear_text();
            co_return true;
        }
        parts_.clear();
        dialogue_.compose(parts_);
        if (!parts_.empty() && !co_await write()) break;
        if (!co_await read()) break;
    }
    note_opening_over_tls();
    co_return false;
}

// What the end of an opening says about the host's TLS.
void Session::note_opening_over_tls() {
    const Disposition& why = dialogue_.ending();
    if (dialogue_.tls_refused()) {
        note_broken_tls(TlsMemory::Fault::shown);
        count_tls(metrics::TlsResult::refused, {.reason = why.reply.text});
    } else if (dialogue_.tls_missing()) {
        note_clear_text();
    } else if (why.command == "STARTTLS") {
        const bool lost =
            why.reply.code == 421 || (why.local && why.reply.enhanced == EnhancedCode{4, 4, 2});
        if (!dialogue_.tls_injected()) {
            note_broken_tls(lost ? TlsMemory::Fault::lost : TlsMemory::Fault::shown);
        }
        if (why.local) count_tls(metrics::TlsResult::failed, {.reason = why.reply.text});
    } else if (encryption_ == Encryption::on && why.local && why.command == "EHLO") {
        note_broken_tls(TlsMemory::Fault::lost);
    }
}

// From here on everything goes through TLS, or nothing goes.
core::Task<bool> Session::secure() {
    const TlsDemand& demand = approach_.target.demand;
    if (stream_->has_input() && !demand.implicit()) {  // a moment later than the reply: the same
        const auto injected = co_await stream_->read();
        dialogue_.tls_injection(injected ? *injected : std::string_view{});
        if (!dialogue_.tls_injected()) note_broken_tls(TlsMemory::Fault::shown);
        count_tls(metrics::TlsResult::failed, {.reason = dialogue_.ending().reply.text});
        co_return false;
    }
    auto wrapped = context_.tls.wrap(std::move(stream_), demand, site_, endpoint_);
    core::TlsStream& tls = *wrapped;
    stream_ = std::move(wrapped);
    stream_->set_deadline(clock_.write_due(context_.shard.now(), times_.tls_handshake));
    if (!demand.implicit()) context_.tls.memory().note_offered(endpoint_);
    if (!co_await tls.handshake()) {
        if (tls.fault() >= core::TlsFault::untrusted) encryption_ = Encryption::untrusted;
        count_tls(encryption_ == Encryption::untrusted ? metrics::TlsResult::untrusted
                                                       : metrics::TlsResult::failed,
                  {tls.fault(), tls.reason()});
        dialogue_.tls_failed("TLS: " + tls.reason());
        note_broken_tls(tls.fault() == core::TlsFault::network ? TlsMemory::Fault::lost
                                                               : TlsMemory::Fault::shown);
        co_return false;
    }
    encryption_ = Encryption::on;
    tls_protocol_ = tls.engine().protocol();
    tls_cipher_ = tls.engine().cipher();
    const bool verified = tls.engine().authenticated();
    count_tls(verified ? metrics::TlsResult::verified : metrics::TlsResult::unverified,
              {.kind = tls.engine().certificate_fault()});
    dialogue_.tls_started(verified);
    move_to(Step::opening);
    co_return true;
}

void Session::count_tls(metrics::TlsResult result, SessionOpenings::Fault fault) {
    const TlsDemand& demand = approach_.target.demand;
    if (demand.policy == TlsPolicy::none) return;
    openings_.ended(demand, result, {approach_.target.host, source_address_, peer_address_},
                    std::move(fault));
    context_.metrics.tls_session(site_.destination, demand.counted_as(), result);
}

// A host that offered TLS and does so no longer may be somebody else (RFC 3207 section 6).
void Session::note_clear_text() {
    if (approach_.target.demand.policy == TlsPolicy::none) return;
    const bool stripped = context_.tls.memory().offered_before(endpoint_);
    count_tls(stripped ? metrics::TlsResult::stripped : metrics::TlsResult::not_offered);
    if (!stripped) return;
    context_.log->note(core::LogLevel::kWarning, "STARTTLS was offered before and is not now",
                       approach_.target.host, peer_address_);
}

// The host does not let us begin.
Session::Refusal Session::refusal() {
    context_.metrics.connect(site_.destination, dialogue_.ending().local
                                                    ? metrics::Connect::broken
                                                    : metrics::Connect::greeting);
    Refusal refused{.why = dialogue_.ending()};
    Disposition& why = refused.why;
    if (why.command == "AUTH") {  // nothing is delivered there until somebody looks at it
        core::log_error("site {}: {} [{}] does not let us in by AUTH: {} {}", site_.name,
                        approach_.target.host, peer_address_, why.reply.code,
                        core::escaped(why.reply.text));
    }
    if (approach_.hello == Approach::Hello::helo && why.command == "HELO") {
        context_.hosts.habits(learned_endpoint_)
            .helo_only.lift(context_.shard.now());  // EHLO next time
    }
    why.scope = Scope::site;
    if (again_ == Again::no && refuses_ehlo(why)) again_ = Again::by_helo;
    refused.again = again_;
    // A host that refuses to talk is skipped; mail is not returned for it before max_age, unless it
    // says that it never takes any (RFC 7504), or the destination's table says so.
    // What only some mail wants of it is not held against the host.
    const bool lacking = dialogue_.tls_missing() || dialogue_.requirement_missing();
    const bool opening = !lacking && again_ != Again::in_clear_text && why.command != "STARTTLS" &&
                         why.command != "AUTH";
    const bool never = why.reply.code == 521 ||
                       (opening && why.reply.code >= 500 && site_.limits.bounce_upon_5xx_greeting);
    why.outcome = never ? Outcome::bounced : Outcome::deferred;
    if (opening && !never && !aborted_ && again_ != Again::by_helo) {
        const bool said_later = !why.local && why.reply.code < 500;
        refused.how = said_later ? HostWalk::Failed::refused : HostWalk::Failed::host;
    }
    if (lacking || encryption_ == Encryption::untrusted) {
        why = without_tls(site_, std::move(why), dialogue_.requirement_missing());
    }
    return refused;
}

// Old servers, and some filters before newer ones, answer EHLO by an error of another kind than RFC
// 5321 section 4.1.1.1 has, or by closing. Nothing else can be told from that connection; a close
// counts only where EHLO did not work lately.
bool Session::refuses_ehlo(const Disposition& why) const {
    if (approach_.hello != Approach::Hello::ehlo_or_helo || why.command != "EHLO" ||
        encryption_ == Encryption::on) {
        return false;
    }
    if (!why.local) return why.reply.code == 501 || why.reply.code == 503 || why.reply.code == 554;
    return step_ == Step::lost &&
           !context_.hosts.worked_lately(learned_peer_, context_.shard.now());
}

}  // namespace relay
