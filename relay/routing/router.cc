#include "relay/routing/router.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/runtime/slices.h"
#include "relay/message/own_disposition.h"
#include "relay/routing/domain_key.h"
#include "relay/routing/route_failure.h"

namespace relay {

namespace {

// Services are known by the names that SRV records give them, which nobody vouches for.
bool is_policy_domain(const NextHop& hop) {
    return !hop.address && !hop.service;
}

bool is_enforced(const std::shared_ptr<const StsPolicy>& policy) {
    return policy != nullptr && policy->mode == StsMode::enforce;
}

// The order of hosts stays; those that the policy does not allow fail when their turn comes
// (RFC 8461 section 8.4).
void apply(const std::shared_ptr<const StsPolicy>& policy, SiteFacts& facts) {
    if (!is_enforced(policy)) return;
    facts.sts = true;
    for (const dns::MxGroup& group : facts.plan.groups) {
        for (const std::string& host : group.hosts) {
            if (policy->allows(host)) facts.sts_hosts.push_back(host);
        }
    }
}

// Without it the way to the hosts counts as one that nobody vouches for.
bool asks_for_tlsa(const SiteFacts& facts) {
    return facts.limits.enable_dane || facts.tls_request == TlsRequest::required;
}

// Mail must not go without a policy that there may be.
dns::RouteFailure policies_are_busy() {
    dns::RouteFailure failure;  // temporary
    failure.text = "too many MTA-STS policies are being fetched";
    failure.ttl = std::chrono::seconds{5};
    return failure;
}

}  // namespace

Router::Router(core::Shard& shard, RouterParts parts, RouteReceiver& receiver)
    : shard_(shard),
      parts_(std::move(parts)),
      routes_(parts_.checked->config),
      receiver_(receiver),
      domains_(parts_.most_idle_domains),
      sites_(shard.count()),
      lookups_(shard.reactor()) {
    if (parts_.warmup != nullptr) warmup_.emplace(*parts_.warmup);
}

Router::~Router() {
    PH_ASSERT(waiting_ == 0);
}

void Router::route(Recipient& recipient) {
    const PlainDomain plain(recipient.domain());
    if (!plain.name()) {
        recipient.set_disposition(no_domain_name());
        return receiver_.unroutable(recipient);
    }
    const std::string_view name = *plain.name();
    const TlsRequest request = recipient.message->tls;
    std::string storage;
    Domain& domain = domains_.find_or_add(domain_key(name, request, storage));
    if (domain.state != DomainState::idle) return ask(domain, recipient);
    if (!known(domain)) {
        const RouteConfig* route = routes_.route_for(name);
        // Not for a relay that sends by routes alone: it may have no DNS.
        if (route == nullptr && std::exchange(rollups_wanted_, false) && !stopped_) {
            look_up_rollups();
        }
        if (route == nullptr || asks_for_policies(name, request, *route)) {
            return ask(domain, recipient);
        }
        follow(name, request, *route, {}, domain);
    }
    rest(domain);
    answer(domain, recipient);
}

bool Router::known(const Domain& domain) const {
    return domain.generation == generation_ && domain.expires > shard_.now();
}

void Router::ask(Domain& domain, Recipient& recipient) {
    if (stopped_) return receiver_.unroutable(recipient);
    domain.waiting.push_back(recipient);
    ++waiting_;
    if (domain.state == DomainState::queued) queue_.also_for(domain, *recipient.message);
    if (domain.state != DomainState::idle) return;
    domains_.wake(domain);
    queue_.push(domain, *recipient.message);
    begin_lookups();
}

void Router::begin_lookups() {
    const auto crowded = [this] { return sites_.size() >= parts_.most_sites; };
    while (!stopped_ && !queue_.empty() && resolving_ < kMostResolving && !crowded()) {
        Domain& domain = queue_.pop();
        domain.state = DomainState::resolving;
        under_way_.push_back(domain);
        ++resolving_;
        const bool begun = lookups_.spawn(resolve(&domain));
        PH_ASSERT(begun);
    }
    const bool waits = !stopped_ && !queue_.empty() && resolving_ < kMostResolving;
    if (waits && !making_room_ && domains_.oldest() != nullptr) {
        making_room_ = lookups_.spawn(make_room());
    }
}

// Idle domains give way before those that mail waits for have to wait.
core::Task<void> Router::make_room() {
    core::Slices slices(shard_.reactor());
    while (!stopped_ && sites_.size() >= parts_.most_sites) {
        Domain* const oldest = domains_.oldest();
        if (oldest == nullptr) break;  // until one that is in use is released
        forget(*oldest);
        co_await slices.next();
    }
    making_room_ = false;
    begin_lookups();
}

bool Router::takes_no_mail(std::string_view written) const {
    const PlainDomain plain(written);
    if (!plain.name()) return false;
    const Domain* const domain = domains_.find(*plain.name());
    return domain != nullptr && domain->null_mx && known(*domain);
}

const Site* Router::known_site(const Recipient& recipient) const {
    if (recipient.site != nullptr) return recipient.site;
    const PlainDomain plain(recipient.domain());
    if (!plain.name()) return nullptr;
    std::string storage;
    const Domain* const domain =
        domains_.find(domain_key(*plain.name(), recipient.message->tls, storage));
    return domain == nullptr ? nullptr : domain->site;
}

std::optional<Router::KnownSite> Router::known_site(std::string_view written) const {
    const PlainDomain plain(written);
    if (!plain.name()) return std::nullopt;
    const Domain* const domain = domains_.find(*plain.name());
    if (domain == nullptr || domain->site == nullptr) return std::nullopt;
    KnownSite known{domain->site->facts, {domain->site->facts.path}};
    for (const Site::BySource& one : domain->site->by_source)
        known.paths.push_back(one.site->facts.path);
    return known;
}

// Waived: no policy is looked for (RFC 8689 section 4.1).
bool Router::minds_policies(const ShapingLimits& limits, TlsRequest request,
                            const RouteConfig* route) const {
    if (parts_.sts == nullptr || request == TlsRequest::waived) return false;
    return request == TlsRequest::required ||
           (limits.enable_mta_sts && parts_.checked->tls_of(limits, route) != TlsPolicy::none);
}

// A literal has none (RFC 8461 section 3.1).
bool Router::minds_policies(std::string_view name, TlsRequest request,
                            const dns::MxPlan& plan) const {
    return !plan.literal &&
           minds_policies(shaping().limits_for(scope_by(name, plan)), request, nullptr);
}

bool Router::asks_for_policies(std::string_view name, TlsRequest request,
                               const RouteConfig& route) const {
    return std::ranges::any_of(route.hosts, is_policy_domain) &&
           minds_policies(shaping().limits_for(scope_by(name, route)), request, &route);
}

core::Task<void> Router::resolve(Domain* domain) {
    co_await find_out(domain);
    --resolving_;
    domain->state = DomainState::answering;
    begin_lookups();
    co_await answer_all(domain);
    core::IntrusiveList<Domain, DomainTag>::remove(*domain);
    rest(*domain);
}

core::Task<void> Router::find_out(Domain* domain) {
    const std::string name(domain_of(domain->key));
    const TlsRequest request = request_of(domain->key);
    std::shared_ptr<const CheckedConfig> asked_for;
    while (asked_for != parts_.checked) {  // once more if a reload came meanwhile
        asked_for = parts_.checked;
        const RouteConfig* const route = routes_.route_for(name);
        if (route != nullptr) {
            HostPolicies policies;
            if (asks_for_policies(name, request, *route))
                policies = co_await policies_of(route->hosts);
            if (policies.busy) {
                learn(*domain, std::unexpected(policies_are_busy()), {});
            } else {
                follow(name, request, *route, policies, *domain);
            }
            continue;
        }
        const dns::MxResult result = co_await dns::resolve_mx(parts_.resolver, name, parts_.rules);
        StsFinding sts;
        if (result && minds_policies(name, request, *result)) {
            sts = co_await parts_.sts->policy_for(result->domain);
        }
        if (sts.busy) {
            learn(*domain, std::unexpected(policies_are_busy()), {});
        } else {
            learn(*domain, result, sts);
        }
    }
}

// Who comes meanwhile is told after those who wait. Once all is stopped return_all() has them.
core::Task<void> Router::answer_all(Domain* domain) {
    core::Slices slices(shard_.reactor());
    while (!domain->waiting.empty()) {
        --waiting_;
        Recipient& recipient = domain->waiting.pop_front();
        if (stopped_) {
            receiver_.unroutable(recipient);
        } else {
            answer(*domain, recipient);
        }
        co_await slices.next();
    }
}

// RFC 8461 section 3.4: a smarthost is a policy domain of its own.
core::Task<Router::HostPolicies> Router::policies_of(std::vector<NextHop> hops) {
    HostPolicies found;
    for (const NextHop& hop : hops) {
        if (!is_policy_domain(hop)) continue;
        const StsFinding sts = co_await parts_.sts->policy_for(hop.host);
        found.busy = found.busy || sts.busy;
        found.ttl = std::min(found.ttl.value_or(sts.ttl), sts.ttl);
        if (!is_enforced(sts.policy)) continue;
        found.bound.push_back(hop.host);
        if (sts.policy->allows(hop.host)) found.allowed.push_back(hop.host);
    }
    co_return found;
}

void Router::follow(std::string_view name, TlsRequest request, const RouteConfig& route,
                    const HostPolicies& policies, Domain& domain) {
    SiteFacts facts;
    facts.routed = true;
    facts.hops = route.hosts;
    facts.smarthost = route.smarthost;
    facts.sts = !policies.bound.empty();
    facts.sts_bound = policies.bound;
    facts.sts_hosts = policies.allowed;
    apply_settings(scope_by(name, route), request, &route, facts);
    if (route.tls || route.smarthost) facts.route = route.domain;
    identify(facts);
    replace_site(domain, sites_.intern(std::move(facts)));
    domain.failure = {};  // of DNS, before a reload
    domain.null_mx = false;
    domain.generation = generation_;
    domain.expires = policies.ttl ? shard_.now() + std::max(*policies.ttl, std::chrono::seconds{1})
                                  : core::kNever;
}

void Router::learn(Domain& domain, const dns::MxResult& result, const StsFinding& sts) {
    const std::string name(domain_of(domain.key));
    Site* site = nullptr;
    domain.failure.reset();
    domain.null_mx = !result && result.error().kind == dns::FailureKind::null_mx;
    std::chrono::seconds ttl = result ? result->ttl : result.error().ttl;
    if (result) {
        const ShapingTable* const own = shaping().table(name);
        if (own != nullptr && own->mx_rollup) note_rollup(name, result->site);
        SiteFacts facts;
        facts.plan = *result;
        apply_settings(scope_by(name, facts.plan), request_of(domain.key), nullptr, facts);
        facts.port = parts_.checked->port_of(facts.limits);
        facts.plan.authenticated &= asks_for_tlsa(facts);
        apply(sts.policy, facts);
        identify(facts);
        site = sites_.intern(std::move(facts));
        if (sts.asked) ttl = std::min(ttl, sts.ttl);
    } else {
        domain.failure = std::make_unique<const Disposition>(no_route(result.error()));
    }
    domain.expires = shard_.now() + std::max(ttl, std::chrono::seconds{1});
    domain.generation = generation_;
    replace_site(domain, site);
}

void Router::apply_settings(const ShapingScope& scope, TlsRequest request, const RouteConfig* route,
                            SiteFacts& facts) const {
    facts.generation = parts_.checked->generation;
    facts.limits = shaping().limits_for(scope);
    facts.destination = shaping().destination_of(scope);
    facts.table = scope.table;
    facts.provider = scope.provider;
    facts.tls_request = request;
    facts.source = egress().source(SourceId::any);
    facts.set_tls(parts_.checked->tls_of(facts.limits, route));
}

void Router::use(std::shared_ptr<const CheckedConfig> checked) {
    parts_.checked = std::move(checked);
    routes_ = RouteIndex(parts_.checked->config);
    ++generation_;
    ++generation_of_rollups_;
    rollups_.begin(shaping());
    rollups_wanted_ = true;
}

void Router::replace_site(Domain& domain, Site* site) {
    Site* const before = std::exchange(domain.site, site);
    if (before != nullptr) unreference(before);
}

void Router::unreference(Site* site) {
    if (sites_.release(site)) begin_lookups();
}

void Router::answer(Domain& domain, Recipient& recipient) {
    if (domain.site == nullptr) {
        recipient.set_disposition(*domain.failure);
        return receiver_.unroutable(recipient);
    }
    Site* const site = egress().is_plain() ? domain.site : choose_source(*domain.site, recipient);
    if (site == nullptr) {
        recipient.set_disposition(no_usable_source(pool_of(*recipient.message).name));
        return receiver_.unroutable(recipient);
    }
    recipient.site = SiteTable::refer(site);
    receiver_.routed(recipient);
}

void Router::release(Recipient& recipient) {
    if (recipient.site == nullptr) return;
    // The site is this shard's; only recipients see it as const.
    unreference(const_cast<Site*>(std::exchange(recipient.site, nullptr)));
}

void Router::rest(Domain& domain) {
    domains_.rest(domain);
    Domain* const surplus = domains_.surplus();
    if (surplus != nullptr && surplus != &domain) forget(*surplus);
}

void Router::forget(Domain& domain) {
    if (domain.site != nullptr) sites_.release(std::exchange(domain.site, nullptr));
    domains_.forget(domain);
}

// ---- the end

void Router::stop_waiting() {
    if (std::exchange(stopped_, true)) return;
    lookups_.spawn(return_all());
}

core::Task<void> Router::return_all() {
    core::Slices slices(shard_.reactor());
    while (!queue_.empty()) {
        Domain& domain = queue_.pop();
        under_way_.push_back(domain);
        domain.state = DomainState::answering;
        co_await answer_all(&domain);
        core::IntrusiveList<Domain, DomainTag>::remove(domain);
        rest(domain);
        co_await slices.next();
    }
    // Those that are being resolved stay where they are. Each step begins with the first again:
    // another one may have ended meanwhile.
    core::IntrusiveList<Domain, DomainTag> looked_at;
    while (!under_way_.empty()) {
        Domain& domain = under_way_.front();
        if (domain.waiting.empty()) {
            core::IntrusiveList<Domain, DomainTag>::remove(domain);
            looked_at.push_back(domain);
        } else {
            --waiting_;
            receiver_.unroutable(domain.waiting.pop_front());
        }
        co_await slices.next();
    }
    under_way_.splice_back(looked_at);
}

core::Task<void> Router::close() {
    stop_waiting();
    co_await lookups_.close();
    core::Slices slices(shard_.reactor());
    while (Domain* const domain = domains_.oldest()) {
        forget(*domain);
        co_await slices.next();
    }
}

}  // namespace relay
