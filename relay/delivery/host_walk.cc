#include "relay/delivery/host_walk.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/base/log.h"
#include "core/runtime/shard_log.h"
#include "dns/srv.h"
#include "relay/message/own_disposition.h"
#include "relay/routing/route_failure.h"

namespace relay {

namespace {

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

Disposition without_tls(const SiteFacts& site, Disposition why, bool unsupported) {
    if (site.tls_request != TlsRequest::required) return why;
    return without_required_tls(std::move(why), unsupported);
}

HostWalk::HostWalk(EgressContext& context, const SiteFacts& site, const Detour* detour,
                   SessionOpenings& openings)
    : context_(context),
      site_(site),
      detour_(detour),
      openings_(openings),
      patience_(site.limits.time_limits().connect) {}

core::Task<std::optional<HostTarget>> HostWalk::next() {
    if (step_ == Step::fresh) {
        step_ = Step::walking;
        co_await list_candidates();
    } else if (step_ == Step::walking) {
        count_last();
    }
    while (step_ == Step::walking) {
        while (next_address_ < addresses_.size() && tried_of_host_ < kMaxAddressesOfAHost &&
               tried_ < kMaxAddressesTried) {
            const Candidate& candidate = list_[next_ - 1];
            const core::IpAddress address = addresses_[next_address_++];
            if (!may_try({address, candidate.port})) continue;
            how_.reset();
            last_ = HostTarget{candidate.host, candidate.port, address, demand_};
            co_return last_;
        }
        if (next_ >= list_.size() || tried_ >= kMaxAddressesTried) break;
        co_await look_up(next_++);
    }
    step_ = Step::over;
    co_return std::nullopt;
}

// ---- the hosts

core::Task<void> HostWalk::list_candidates() {
    if (site_.routed) {
        const std::vector<NextHop> hops = site_.hops;  // a reload may change them meanwhile
        for (const NextHop& hop : hops) {
            if (hop.service) {
                co_await add_service(hop.host);
            } else {
                list_.push_back({hop.host, hop.port, 0, hop.address});
            }
        }
    } else {
        add_mx_hosts();
    }
    if (detour_ != nullptr) keep_to_detour();
}

core::Task<void> HostWalk::add_service(std::string service) {
    const auto found = co_await dns::resolve_service(context_.resolver, service);
    if (!found) {
        keep(no_route(found.error()));
        co_return;
    }
    for (dns::ServiceHost& one : dns::service_order(*found, context_.shard.prng())) {
        list_.push_back({.host = std::move(one.host),
                         .port = one.port,
                         .service_domain = std::string(dns::service_domain(service)),
                         .authenticated = found->authenticated});
    }
}

void HostWalk::add_mx_hosts() {
    const auto preference_of = [this](const std::string& host) {
        for (const dns::MxGroup& group : site_.plan.groups) {
            if (std::ranges::find(group.hosts, host) != group.hosts.end()) return group.preference;
        }
        return std::uint16_t{0};
    };
    for (std::string& host : dns::delivery_order(site_.plan, context_.shard.prng())) {
        const std::uint16_t preference = preference_of(host);
        list_.push_back({std::move(host), site_.port, preference});
    }
}

void HostWalk::keep_to_detour() {
    std::erase_if(list_, [this](const Candidate& candidate) {
        const std::string endpoint = candidate.host + ":" + std::to_string(candidate.port);
        if (candidate.address && !is_of(*candidate.address, detour_->family)) return true;
        return std::ranges::find(detour_->avoided, endpoint) != detour_->avoided.end();
    });
    nowhere_ = list_.empty() && !failure_;
}

// The addresses of one of them, and what TLS they must offer. None: it is passed over.
core::Task<void> HostWalk::look_up(std::size_t index) {
    const Candidate candidate = list_[index];
    addresses_.clear();
    next_address_ = tried_of_host_ = 0;
    if (candidate.address) {
        addresses_.push_back(*candidate.address);
        co_return demand_tls(candidate, {});
    }
    const dns::RoutingRules& rules = site_.routed ? context_.route_rules : context_.rules;
    dns::AddressFamilies families = families_of(site_.limits.ip_lookup);
    if (detour_ != nullptr) families = detour_->family.value_or(families);
    auto found =
        co_await dns::resolve_addresses(context_.resolver, candidate.host, rules, families);
    if (!found) {
        // RFC 5321 section 5.1: this preference and all worse ones lead back to us.
        if (found.error().kind == dns::FailureKind::own_host) list_.resize(index + 1);
        co_return keep(no_route(found.error()));
    }
    dns::HostTlsa tlsa;
    if (asks_for_tlsa(site_) && candidate.authenticated) {  // RFC 7673 section 3.1
        auto records = co_await dns::resolve_tlsa(context_.resolver, *found, candidate.port);
        if (!records) {  // not to be used, with whatever TLS (RFC 7672 section 2.1.2)
            openings_.without_tlsa(candidate.host, records.error().text);
            co_return keep(no_route(records.error()));
        }
        tlsa = std::move(*records);
    }
    addresses_ = found->addresses;
    demand_tls(candidate, tlsa);
}

void HostWalk::demand_tls(const Candidate& candidate, const dns::HostTlsa& tlsa) {
    demand_ = demand_of(site_, candidate.host, tlsa);
    if (!candidate.service_domain.empty()) {
        expect_service(demand_, site_, candidate.service_domain, candidate.authenticated);
    }
    if (!demand_.barred) return;
    addresses_.clear();
    if (site_.sts) openings_.barred(candidate.host);
    const std::string_view reason =
        site_.sts ? " is no mail host by the domain's MTA-STS policy"
                  : " was named by records that are not signed, and no MTA-STS "
                    "policy names it, as REQUIRETLS asks";
    std::string text = candidate.host;
    keep(without_tls(site_, host_barred(text.append(reason)), false));
}

// ---- what became of them

bool HostWalk::may_try(const core::SocketAddress& peer) {
    if (site_.source != nullptr && !site_.source->reaches(peer.ip)) {
        without_family_ = true;
        return false;
    }
    const core::Instant now = context_.shard.now();
    HostMemory::Rest rest =
        context_.hosts.ask(site_.learned(peer.to_string()), now, now + patience_);
    if (!rest.resting) return true;
    if (!resting_ || rest.until < resting_->until) resting_ = std::move(rest);
    return false;
}

void HostWalk::failed(Failed how, Disposition why) {
    PH_ASSERT(last_.has_value());
    how_ = how;
    if (how == Failed::source) {
        sourceless_ = source_failure(SourceFault::unusable, std::move(why.reply.text));
        return stop();
    }
    const std::string peer = site_.learned(last_->peer().to_string());
    why.peer_name = last_->host;
    why.peer_address = last_->address.to_string();
    if (how == Failed::no_route) {
        unrouted_ = std::move(why);
        return;
    }
    const bool by_host = how == Failed::host || how == Failed::refused;
    if (by_host && context_.hosts.failed(peer, context_.shard.now(), why)) {
        context_.log->note(core::LogLevel::kInfo, "host is not asked for a while",
                           last_->host + " [" + last_->peer().to_string() + "]",
                           fmt::format("{} {}", why.reply.code, why.reply.text));
    }
    keep(std::move(why));
}

// What 421 and the like in a greeting mean for the hosts after it: some sites mind being asked at
// their backup hosts then.
void HostWalk::count_last() {
    PH_ASSERT(how_.has_value());
    if (how_ == Failed::no_route) return;
    ++tried_;
    ++tried_of_host_;
    if (how_ != Failed::refused || site_.limits.reconnect == Reconnect::next_host) return;
    list_.resize(next_);
    if (site_.limits.reconnect == Reconnect::terminate) addresses_.clear();
}

// A failure that may pass outweighs one that will not: mail is returned only when every host is
// hopeless.
void HostWalk::keep(Disposition why) {
    if (!failure_ || failure_->outcome == Outcome::bounced || why.outcome == Outcome::deferred) {
        failure_ = std::move(why);
    }
}

// What another try, a moment later, may change.
NotOpened::Because HostWalk::reason_of(const Disposition& why) {
    using Because = NotOpened::Because;
    if (why.outcome == Outcome::bounced || why.command == "DNS" || why.command == "AUTH") {
        return Because::hopeless;
    }
    if (!why.local) return Because::refused;
    const bool network = why.reply.enhanced.subject == 4;  // not what the host lacks, by policy
    return network ? Because::unreachable : Because::hopeless;
}

// Mail is not returned while a host is left that may work later.
NotOpened HostWalk::ending() {
    NotOpened end;
    if (!sourceless_ && without_family_ && detour_ == nullptr && !failure_ && !resting_ &&
        !unrouted_) {
        const bool v4 = site_.source->has_v4();
        sourceless_ = source_failure(SourceFault::unfit, "no host of the site has an address of " +
                                                             std::string(v4 ? "IPv4" : "IPv6") +
                                                             ", as the egress source has");
    }
    if (sourceless_) {
        end.because = NotOpened::Because::no_source;
        end.why = *sourceless_;
        return end;
    }
    end.no_route = unrouted_.has_value() || without_family_;
    // A family that this machine does not speak says nothing about the host.
    if (unrouted_ && !failure_ && !resting_) failure_ = unrouted_;
    if (detour_ != nullptr) {
        if (failure_) {
            end.why = *failure_;
        } else if (resting_) {
            end.why = resting_->why;
        } else if (!nowhere_) {
            end.why = network_failure("no other host could be tried");
        }
        return end;
    }
    const bool hopeless = failure_ && failure_->outcome == Outcome::bounced;
    if (resting_ && (!failure_ || hopeless)) {
        // A host that failed once may be back in seconds; one that is being tried, sooner.
        const core::Instant soon = context_.shard.now() + kAskAgain;
        end.because = NotOpened::Because::resting;
        end.why = resting_->why;
        end.brief = resting_->being_tried || resting_->failures < 2;
        end.ask_again = resting_->being_tried ? std::min(resting_->until, soon) : resting_->until;
        return end;
    }
    end.why = failure_ ? *failure_ : network_failure("no host of the site could be tried");
    end.because = reason_of(end.why);
    return end;
}

}  // namespace relay
