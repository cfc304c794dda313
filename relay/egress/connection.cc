#include "relay/egress/connection.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/base/log.h"
#include "core/net/connector.h"
#include "dns/srv.h"

namespace relay {

namespace {

Disposition network_failure(EnhancedCode enhanced, std::string text) {
    Disposition result;
    result.outcome = Outcome::deferred;
    result.scope = Scope::site;
    result.code = 451;
    result.enhanced = enhanced;
    result.text = std::move(text);
    result.command = "connect";
    result.local = true;
    return result;
}

Disposition from_route_failure(const dns::RouteFailure& failure) {
    Disposition result =
        network_failure({failure.klass, failure.subject, failure.detail}, failure.text);
    result.outcome = failure.permanent() ? Outcome::bounced : Outcome::deferred;
    result.code = failure.code;
    result.command = "DNS";
    return result;
}

std::string new_session_id(core::Prng& prng) {
    char text[16];
    std::snprintf(text, sizeof text, "%013llx", static_cast<unsigned long long>(prng.next() >> 12));
    return text;
}

// Our network or machine, not the host: one without IPv6, or out of descriptors, is no fault of a
// host that has it.
bool is_no_route(const std::error_code& error) {
    return error.value() == ENETUNREACH || error.value() == EADDRNOTAVAIL ||
           error.value() == EAFNOSUPPORT || error.value() == EMFILE || error.value() == ENFILE;
}

dns::AddressFamilies families_of(IpLookup lookup) {
    switch (lookup) {
        case IpLookup::v4_only:
            return dns::AddressFamilies::v4_only;
        case IpLookup::v6_only:
            return dns::AddressFamilies::v6_only;
        case IpLookup::v6_and_v4:
            return dns::AddressFamilies::v6_then_v4;
        case IpLookup::v4_and_v6:
            break;
    }
    return dns::AddressFamilies::v4_then_v6;
}

bool is_of(const core::IpAddress& address, std::optional<dns::AddressFamilies> family) {
    return !family || address.is_v4() == (*family == dns::AddressFamilies::v4_only);
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

Connection::Connection(EgressContext& context, Path& path)
    : context_(context),
      path_(path),
      times_(path.site().limits.time_limits()),
      deliveries_left_(path.site().limits.max_deliveries_per_connection),
      openings_(context.sessions, path.site()),
      session_id_(new_session_id(context.shard.prng())) {}

Connection::Connection(EgressContext& context, Path& path, Detour detour)
    : Connection(context, path) {
    detour_ = std::move(detour);
}

Connection::~Connection() {
    PH_ASSERT(stream_ == nullptr);
}

core::Task<void> Connection::run() {
    const bool opened = co_await open();
    const std::size_t provider = path_.site().provider;
    if (opened) {
        established_ = true;
        context_.metrics.connect(provider, metrics::Connect::ready);
        context_.metrics.connection_opened(provider);
        path_.established(*this);
        keep_to_limits();
        co_await converse();
        context_.metrics.connection_closed(provider);
        // It works, whatever it said to others meanwhile.
        if (dialogue_->completed() > 0) context_.hosts.answers(peer_);
    } else if (!aborted_) {
        report_failure();
    }
    if (stream_ != nullptr) {
        co_await stream_->close();
        stream_.reset();
    }
    path_.ended(*this, established_ && tried_ && dialogue_->completed() == 0);
}

void Connection::wake() {
    if (waiting_idle_) stream_->interrupt();
}

void Connection::retire() {
    deliveries_left_ = 0;
    wake();
}

void Connection::abort() {
    aborted_ = true;
    if (stream_ != nullptr) stream_->abort();
}

// ---- opening

core::Task<std::vector<Connection::Candidate>> Connection::candidates() {
    std::vector<Candidate> list;
    const SiteFacts& site = path_.site();
    if (site.routed) {
        for (const NextHop& hop : site.hops) {
            if (hop.service) {
                co_await add_service(hop.host, list);
            } else {
                list.push_back({hop.host, hop.port, 0, hop.address});
            }
        }
        co_return list;
    }
    const auto preference_of = [&](const std::string& host) {
        for (const dns::MxGroup& group : site.plan.groups) {
            if (std::ranges::find(group.hosts, host) != group.hosts.end()) return group.preference;
        }
        return std::uint16_t{0};
    };
    for (std::string& host : dns::delivery_order(site.plan, context_.shard.prng())) {
        const std::uint16_t preference = preference_of(host);
        list.push_back({std::move(host), site.port, preference});
    }
    co_return list;
}

core::Task<void> Connection::add_service(std::string service, std::vector<Candidate>& list) {
    const auto found = co_await dns::resolve_service(context_.resolver, service);
    if (!found) {
        note_failure(from_route_failure(found.error()));
        co_return;
    }
    for (dns::ServiceHost& one : dns::service_order(*found, context_.shard.prng())) {
        list.push_back({.host = std::move(one.host),
                        .port = one.port,
                        .service_domain = std::string(dns::service_domain(service)),
                        .authenticated = found->authenticated});
    }
}

core::Task<bool> Connection::open() {
    std::size_t tried = 0;
    std::vector<Candidate> list = co_await candidates();
    const dns::RoutingRules& rules = path_.site().routed ? context_.route_rules : context_.rules;
    dns::AddressFamilies families = families_of(path_.site().limits.ip_lookup);
    if (detour_) {
        std::erase_if(list, [this](const Candidate& candidate) {
            const std::string endpoint = candidate.host + ":" + std::to_string(candidate.port);
            if (candidate.address && !is_of(*candidate.address, detour_->family)) return true;
            return std::ranges::find(detour_->avoided, endpoint) != detour_->avoided.end();
        });
        families = detour_->family.value_or(families);
        nowhere_ = list.empty() && !failure_;
    }
    for (std::size_t i = 0; i < list.size() && tried < kMaxAddressesTried; ++i) {
        Candidate candidate = list[i];
        std::vector<core::IpAddress> addresses;
        dns::HostTlsa tlsa;
        if (candidate.address) {
            addresses.push_back(*candidate.address);
        } else {
            auto found =
                co_await dns::resolve_addresses(context_.resolver, candidate.host, rules, families);
            if (!found) {
                if (found.error().kind == dns::FailureKind::own_host) {
                    // RFC 5321 section 5.1: this preference and all worse ones lead back to us.
                    std::erase_if(list, [&](const Candidate& other) {
                        return other.preference >= candidate.preference;
                    });
                    i = list.size();
                }
                note_failure(from_route_failure(found.error()));
                continue;
            }
            addresses = found->addresses;
            if (asks_for_tlsa(path_.site()) && candidate.authenticated) {  // RFC 7673 section 3.1
                auto records =
                    co_await dns::resolve_tlsa(context_.resolver, *found, candidate.port);
                if (!records) {  // not to be used, with whatever TLS (RFC 7672 section 2.1.2)
                    openings_.without_tlsa(candidate.host, records.error().text);
                    note_failure(from_route_failure(records.error()));
                    continue;
                }
                tlsa = std::move(*records);
            }
        }
        TlsDemand demand = demand_of(path_.site(), candidate.host, tlsa);
        if (!candidate.service_domain.empty()) {
            expect_service(demand, path_.site(), candidate.service_domain, candidate.authenticated);
        }
        if (demand.barred) {
            if (path_.site().sts) openings_.barred(candidate.host);
            const std::string_view reason =
                path_.site().sts ? " is no mail host by the domain's MTA-STS policy"
                                 : " was named by records that are not signed, and no MTA-STS "
                                   "policy names it, as REQUIRETLS asks";
            note_failure(without_tls(network_failure({4, 7, 5}, candidate.host.append(reason))));
            continue;
        }
        std::size_t of_this_host = 0;
        for (const core::IpAddress& address : addresses) {
            if (aborted_ || tried >= kMaxAddressesTried || of_this_host >= kMaxAddressesOfAHost) {
                break;
            }
            if (!may_try({address, candidate.port})) continue;
            no_route_ = refused_ = false;
            if (co_await try_address(candidate, address, demand)) co_return true;
            if (no_route_) continue;
            ++tried;
            ++of_this_host;
            if (refused_ && !goes_on_after_refusal(candidate, list, i)) break;
        }
        if (aborted_) break;
    }
    co_return false;
}

// What 421 and the like in a greeting mean for the hosts behind it: some sites mind being asked at
// their backup hosts then.
bool Connection::goes_on_after_refusal(const Candidate& candidate, std::vector<Candidate>& list,
                                       std::size_t at) const {
    switch (path_.site().limits.reconnect) {
        case Reconnect::next_host:
            return true;
        case Reconnect::same_host:
            list.resize(at + 1, candidate);
            return true;
        case Reconnect::terminate:
            list.resize(at + 1, candidate);
            return false;
    }
    return true;
}

bool Connection::may_try(const core::SocketAddress& peer) {
    const core::Instant now = context_.shard.now();
    const core::Instant giving_up = now + times_.connect;
    HostMemory::Rest rest = context_.hosts.ask(peer.to_string(), now, giving_up);
    if (!rest.resting) return true;
    if (!resting_ || rest.until < resting_->until) resting_ = std::move(rest);
    return false;
}

// Mail is not returned while a host is left that may work later.
void Connection::report_failure() {
    if (openings_.any()) openings_.failed(path_.waiting_domains());
    // A family that this machine does not speak says nothing about the host.
    if (unrouted_ && !failure_ && !resting_) note_failure(std::move(*unrouted_));
    if (detour_) {
        const Disposition none =
            nowhere_ ? Disposition{} : network_failure({4, 4, 1}, "no other host could be tried");
        return path_.detour_failed(*this, failure_ ? *failure_ : resting_ ? resting_->why : none);
    }
    const bool hopeless = failure_ && failure_->outcome == Outcome::bounced;
    if (resting_ && (!failure_ || hopeless)) {
        // A host that failed once may be back in seconds; one that is being tried, sooner.
        const bool waits = resting_->being_tried || resting_->failures < 2;
        const core::Instant soon = context_.shard.now() + kAskAgain;
        path_.rest(resting_->being_tried ? std::min(resting_->until, soon) : resting_->until,
                   waits ? nullptr : &resting_->why);
        return;
    }
    if (!failure_) note_failure(network_failure({4, 4, 1}, "no host of the site could be tried"));
    path_.unreachable(*failure_);
}

// TLS that is wanted but not demanded, and does not work: a new connection in clear text (never the
// same one), for this host and the next days.
core::Task<bool> Connection::try_address(Candidate candidate, core::IpAddress address,
                                         TlsDemand demand) {
    TlsMemory& memory = context_.tls.memory();
    endpoint_ = candidate.host + ":" + std::to_string(candidate.port);
    peer_ = core::SocketAddress{address, candidate.port}.to_string();
    peer_name_ = candidate.host;
    peer_address_ = address.to_string();
    source_address_.clear();
    if (demand.may_go_clear() && memory.avoids(endpoint_, context_.shard.now())) {
        demand.avoided = true;
    }
    const bool may_go_clear = demand.may_go_clear() && !demand.avoided;
    if (co_await try_once(candidate, address, demand)) co_return true;
    if (!tls_broken_ || !may_go_clear || aborted_) co_return false;
    core::log_info("{} [{}]: no TLS ({}); clear text for {} days", peer_name_, peer_address_,
                   core::escaped(dialogue_->ending().text),
                   TlsMemory::kAvoidFor / std::chrono::days{1});
    memory.note_broken(endpoint_, context_.shard.now());
    demand.policy = TlsPolicy::none;
    co_return co_await try_once(candidate, address, demand);
}

core::Task<bool> Connection::try_once(Candidate candidate, core::IpAddress address,
                                      TlsDemand demand) {
    demand_ = std::move(demand);
    tls_due_ = tls_broken_ = untrusted_ = false;
    tls_protocol_ = tls_cipher_ = {};
    const core::SocketAddress peer{address, candidate.port};
    peer_name_ = candidate.host;
    peer_address_ = address.to_string();
    const core::Instant deadline = context_.shard.now() + times_.connect;
    auto connected = co_await core::connect(context_.shard, peer, std::nullopt, deadline);
    const std::size_t provider = path_.site().provider;
    if (!connected) {
        context_.metrics.connect(provider, metric_of(connected.error()));
        Disposition why =
            network_failure({4, 4, 1}, "connecting to " + candidate.host + " [" + peer.to_string() +
                                           "]: " + connected.error().message());
        why.peer_name = peer_name_;
        why.peer_address = peer_address_;
        no_route_ = is_no_route(connected.error());
        if (!no_route_ && !aborted_) context_.hosts.failed(peer_, context_.shard.now(), why);
        if (no_route_) {
            unrouted_ = std::move(why);
        } else {
            note_failure(std::move(why));
        }
        co_return false;
    }
    stream_ = std::move(*connected);
    source_address_ = stream_->local().ip.to_string();
    if (demand_.avoided) {
        count_tls(metrics::TlsResult::avoided);
        demand_.policy = TlsPolicy::none;
    }
    const Manners manners = path_.manners();
    dialogue_.emplace(context_.options.ehlo_name, manners.pipelining, manners.chunking);
    dialogue_->keep_to(times_);
    dialogue_->want_tls(demand_.wish());
    sparing_noted_ = context_.hosts.spare_parameters(endpoint_, context_.shard.now());
    if (sparing_noted_) dialogue_->spare_parameters();
    if (path_.site().tls_request == TlsRequest::required) dialogue_->require_tls();
    login_ = context_.tls.login_for(path_.site());
    if (login_ != nullptr) dialogue_->log_in(*login_, EgressTls::new_nonce());
    over_ = false;
    tls_due_ = demand_.implicit();
    if (co_await greet()) co_return true;
    context_.metrics.connect(provider, dialogue_->ending().local ? metrics::Connect::broken
                                                                 : metrics::Connect::greeting);
    Disposition why = dialogue_->ending();
    if (why.command == "AUTH") {  // nothing is delivered there until somebody looks at it
        core::log_error("site {}: {} [{}] does not let us in by AUTH: {} {}", path_.site().name,
                        peer_name_, peer_address_, why.code, core::escaped(why.text));
    }
    why.scope = Scope::site;
    // A host that refuses to talk is skipped; mail is not returned for it before max_age, unless it
    // says that it never takes any (RFC 7504), or the destination's table says so.
    // What only some mail wants of it is not held against the host.
    const bool lacking = dialogue_->tls_missing() || dialogue_->requirement_missing();
    const bool opening = !lacking && why.command != "STARTTLS" && why.command != "AUTH";
    const bool never = why.code == 521 ||
                       (opening && why.code >= 500 && path_.site().limits.bounce_upon_5xx_greeting);
    why.outcome = never ? Outcome::bounced : Outcome::deferred;
    refused_ = opening && !why.local && why.code < 500;
    if (opening && !never && !aborted_) {
        why.peer_name = peer_name_;
        why.peer_address = peer_address_;
        context_.hosts.failed(peer_, context_.shard.now(), why);
    }
    note_failure(lacking || untrusted_ ? without_tls(std::move(why)) : std::move(why));
    co_await stream_->close();
    stream_.reset();
    co_return false;
}

// Mail with REQUIRETLS goes back at once when no host has what it takes (RFC 8689 section 4.2.1).
Disposition Connection::without_tls(Disposition why) const {
    if (path_.site().tls_request != TlsRequest::required) return why;
    why.outcome = Outcome::bounced;
    why.scope = Scope::site;
    why.code = 550;
    const bool unsupported = dialogue_ && dialogue_->requirement_missing();
    why.enhanced = {5, 7, static_cast<std::uint16_t>(unsupported ? 30 : 10)};
    return why;
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
    if (dialogue_->tls_refused()) {
        tls_broken_ = true;
        count_tls(metrics::TlsResult::refused, {.reason = dialogue_->ending().text});
    } else if (dialogue_->tls_missing()) {
        note_clear_text();
    } else if (dialogue_->ending().local && dialogue_->ending().command == "STARTTLS") {
        count_tls(metrics::TlsResult::failed, {.reason = dialogue_->ending().text});
    }
    co_return false;
}

// From here on everything goes through TLS, or nothing goes.
core::Task<bool> Connection::secure() {
    tls_due_ = false;
    if (stream_->has_input() && !demand_.implicit()) {  // a moment later than the reply: the same
        dialogue_->tls_failed("octets behind the reply to STARTTLS");
        count_tls(metrics::TlsResult::failed, {.reason = dialogue_->ending().text});
        co_return false;
    }
    auto wrapped = context_.tls.wrap(std::move(stream_), demand_, path_.site(), endpoint_);
    core::TlsStream& tls = *wrapped;
    stream_ = std::move(wrapped);
    stream_->set_deadline(context_.shard.now() + times_.tls_handshake);
    if (!demand_.implicit()) context_.tls.memory().note_offered(endpoint_);
    if (!co_await tls.handshake()) {
        untrusted_ = tls.fault() >= core::TlsFault::untrusted;
        count_tls(untrusted_ ? metrics::TlsResult::untrusted : metrics::TlsResult::failed,
                  {tls.fault(), tls.reason()});
        tls_broken_ = true;
        dialogue_->tls_failed("TLS: " + tls.reason());
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
    context_.metrics.tls_session(path_.site().provider, demand_.counted_as(), result);
}

// A host that offered TLS and does so no longer may be somebody else (RFC 3207 section 6).
void Connection::note_clear_text() {
    if (demand_.policy == TlsPolicy::none) return;
    const bool stripped = context_.tls.memory().offered_before(endpoint_);
    count_tls(stripped ? metrics::TlsResult::stripped : metrics::TlsResult::not_offered);
    if (!stripped) return;
    core::log_warning("{} [{}] offered STARTTLS before and does not now", peer_name_,
                      peer_address_);
}

// A failure that may pass outweighs one that will not: mail is returned only when every host is
// hopeless.
void Connection::note_failure(Disposition why) {
    why.peer_name = peer_name_;
    why.peer_address = peer_address_;
    why.session_id = session_id_;
    if (!failure_ || failure_->outcome == Outcome::bounced || why.outcome == Outcome::deferred) {
        failure_ = std::move(why);
    }
}

}  // namespace relay
