#include "relay/egress/connection.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/base/log.h"
#include "dns/srv.h"
#include "relay/message/own_disposition.h"
#include "relay/routing/route_failure.h"

namespace relay {

namespace {

std::string new_session_id(core::Prng& prng) {
    char text[16];
    std::snprintf(text, sizeof text, "%013llx", static_cast<unsigned long long>(prng.next() >> 12));
    return text;
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
    const std::size_t destination = path_.site().destination;
    if (opened) {
        established_ = true;
        established_at_ = context_.shard.now();
        context_.metrics.connect(destination, metrics::Connect::ready);
        context_.metrics.connection_opened(destination);
        path_.established(*this);
        keep_to_limits();
        co_await converse();
        context_.metrics.connection_closed(destination);
        learn_from(false);
        // TLS that never gets as far as a message is no better than one that fails at once.
        const bool fruitless = lost_ && tried_ && dialogue_->completed() == 0;
        if (fruitless && !tls_protocol_.empty()) note_broken_tls(TlsMemory::Fault::fruitless);
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
    connecting_.stop();
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
        note_failure(no_route(found.error()));
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
                note_failure(no_route(found.error()));
                continue;
            }
            addresses = found->addresses;
            if (asks_for_tlsa(path_.site()) && candidate.authenticated) {  // RFC 7673 section 3.1
                auto records =
                    co_await dns::resolve_tlsa(context_.resolver, *found, candidate.port);
                if (!records) {  // not to be used, with whatever TLS (RFC 7672 section 2.1.2)
                    openings_.without_tlsa(candidate.host, records.error().text);
                    note_failure(no_route(records.error()));
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
            note_failure(without_tls(host_barred(candidate.host.append(reason))));
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
            nowhere_ ? Disposition{} : network_failure("no other host could be tried");
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
    if (!failure_) note_failure(network_failure("no host of the site could be tried"));
    path_.unreachable(*failure_, kind_of(*failure_));
}

// What another try, a moment later, may change.
Outage::Failure Connection::kind_of(const Disposition& why) const {
    using Failure = Outage::Failure;
    if (why.outcome == Outcome::bounced || why.command == "DNS" || why.command == "AUTH") {
        return Failure::hopeless;
    }
    if (!why.local) return Failure::refused;
    const bool network = why.reply.enhanced.subject == 4;  // not what the host lacks, by policy
    return network ? Failure::unreachable : Failure::hopeless;
}

void Connection::note_host_failed(const Disposition& why) {
    if (!context_.hosts.failed(peer_, context_.shard.now(), why)) return;
    context_.log->note(core::LogLevel::kInfo, "host is not asked for a while",
                       peer_name_ + " [" + peer_ + "]",
                       fmt::format("{} {}", why.reply.code, why.reply.text));
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
