#include "relay/queue/router.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/log.h"
#include "relay/message/idna.h"

namespace relay {

namespace {

constexpr std::size_t kMostDomainOctets = 255;

// Services are known by the names that SRV records give them, which nobody vouches for.
bool is_policy_domain(const NextHop& hop) {
    return !hop.address && !hop.service;
}

Disposition disposition_of(const dns::RouteFailure& failure) {
    Disposition result;
    result.outcome = failure.permanent() ? Outcome::bounced : Outcome::deferred;
    result.scope = Scope::site;
    result.code = failure.code;
    result.enhanced = {failure.klass, failure.subject, failure.detail};
    result.text = failure.text;
    result.command = "DNS";
    result.local = true;
    return result;
}

// Mail that asks for something about TLS (RFC 8689) has sites of its own: its domains are known by
// their name and one of these.
constexpr char kWaived = '\n';
constexpr char kRequired = '\r';

std::string_view domain_of(std::string_view key) {
    if (key.ends_with(kWaived) || key.ends_with(kRequired)) key.remove_suffix(1);
    return key;
}

TlsRequest request_of(std::string_view key) {
    if (key.ends_with(kWaived)) return TlsRequest::waived;
    if (key.ends_with(kRequired)) return TlsRequest::required;
    return TlsRequest::unsaid;
}

// A domain as everybody but the two ends of mail knows it: lower case, A-labels.
class PlainDomain {
  public:
    explicit PlainDomain(std::string_view written) {
        const std::size_t length = std::min(written.size(), lower_.size());
        std::ranges::transform(written.substr(0, length), lower_.begin(), core::ascii_lower);
        const std::string_view lower(lower_.data(), length);
        if (has_utf8(lower)) {
            a_labels_ = to_a_labels(written);
            if (a_labels_) name_ = *a_labels_;
        } else {
            name_ = lower;
        }
    }
    PlainDomain(const PlainDomain&) = delete;
    PlainDomain& operator=(const PlainDomain&) = delete;

    // None: DNS has no form for it.
    const std::optional<std::string_view>& name() const { return name_; }

  private:
    std::array<char, kMostDomainOctets> lower_;
    std::optional<std::string> a_labels_;
    std::optional<std::string_view> name_;
};

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

Disposition no_domain() {
    Disposition result;
    result.outcome = Outcome::bounced;
    result.scope = Scope::site;
    result.code = 550;
    result.enhanced = {5, 1, 2};
    result.text = "the domain has no form that DNS knows (RFC 5891)";
    result.command = "DNS";
    result.local = true;
    return result;
}

}  // namespace

Router::Router(core::Shard& shard, RouterParts parts, RouteReceiver& receiver)
    : shard_(shard), parts_(std::move(parts)), receiver_(receiver), lookups_(shard.reactor()) {}

Router::~Router() {
    PH_ASSERT(waiting_ == 0);
}

void Router::route(Recipient& recipient) {
    const PlainDomain plain(recipient.domain());
    if (!plain.name()) {
        recipient.set_disposition(no_domain());
        return receiver_.unroutable(recipient);
    }
    const std::string_view name = *plain.name();

    std::string marked;
    std::string_view key = name;
    const TlsRequest request = recipient.message->tls;
    if (request != TlsRequest::unsaid) {
        marked.append(name).push_back(request == TlsRequest::waived ? kWaived : kRequired);
        key = marked;
    }
    auto found = domains_.find(key);
    if (found == domains_.end()) {
        if (domains_.size() >= kMaxDomains) forget_unused();
        found = domains_.try_emplace(std::string(key)).first;
    }
    Domain& domain = found->second;
    if (!domain.resolving && domain.expires > shard_.now()) return answer(domain, recipient);
    domain.waiting.push_back(recipient);
    ++waiting_;
    if (domain.resolving) return;

    const RouteConfig* route = parts_.checked->config.route_for(name);
    if (route != nullptr && !asks_for_policies(name, request, *route)) {
        follow(name, request, *route, {}, domain);
        --waiting_;
        return answer(domain, domain.waiting.pop_front());
    }
    domain.resolving = true;
    if (!lookups_.spawn(resolve(found->first))) {
        domain.resolving = false;  // closing: the owner collects what waits
    }
}

bool Router::takes_no_mail(std::string_view domain) const {
    const PlainDomain plain(domain);
    if (!plain.name()) return false;
    const auto found = domains_.find(*plain.name());
    return found != domains_.end() && found->second.null_mx && found->second.expires > shard_.now();
}

// Waived: no policy is looked for (RFC 8689 section 4.1).
bool Router::minds_policies(std::string_view name, TlsRequest request,
                            const RouteConfig* route) const {
    if (parts_.sts == nullptr || request == TlsRequest::waived) return false;
    return request == TlsRequest::required ||
           parts_.checked->tls_of(shaping().limits_for(name), route) != TlsPolicy::none;
}

bool Router::asks_for_policies(std::string_view name, TlsRequest request,
                               const RouteConfig& route) const {
    return std::ranges::any_of(route.hosts, is_policy_domain) &&
           minds_policies(name, request, &route);
}

core::Task<void> Router::resolve(std::string key) {
    const std::string name(domain_of(key));
    const TlsRequest request = request_of(key);
    Domain& domain = domains_.find(key)->second;  // not forgotten while it is resolving
    std::shared_ptr<const CheckedConfig> asked_for;
    while (asked_for != parts_.checked) {  // once more if a reload came meanwhile
        asked_for = parts_.checked;
        const RouteConfig* const route = asked_for->config.route_for(name);
        const bool minds = minds_policies(name, request, route);
        if (route != nullptr) {
            HostPolicies policies;
            if (minds) policies = co_await policies_of(route->hosts);
            follow(name, request, *route, policies, domain);
            continue;
        }
        const dns::MxResult result = co_await dns::resolve_mx(parts_.resolver, name, parts_.rules);
        StsFinding sts;
        if (minds && result && !result->literal) {  // RFC 8461 section 3.1
            sts = co_await parts_.sts->policy_for(result->domain);
        }
        learn(key, domain, result, sts);
    }
    domain.resolving = false;
    core::IntrusiveList<Recipient, RecipientQueueTag> waiting;
    waiting.splice_back(domain.waiting);
    while (!waiting.empty()) {
        --waiting_;
        answer(domain, waiting.pop_front());
    }
}

// RFC 8461 section 3.4: a smarthost is a policy domain of its own.
core::Task<Router::HostPolicies> Router::policies_of(std::vector<NextHop> hops) {
    HostPolicies found;
    for (const NextHop& hop : hops) {
        if (!is_policy_domain(hop)) continue;
        const StsFinding sts = co_await parts_.sts->policy_for(hop.host);
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
    apply_settings(name, request, &route, facts);
    name_site(facts);
    // What a route says of its own about TLS or AUTH holds for its mail alone.
    if (route.tls || route.smarthost) {
        facts.route = route.domain;
        facts.name += "/" + route.domain;
    }
    Site* const before = std::exchange(domain.site, intern(std::move(facts)));
    if (before != nullptr) unreference(before);
    domain.failure = {};  // of DNS, before a reload
    domain.null_mx = false;
    domain.expires = policies.ttl ? shard_.now() + std::max(*policies.ttl, std::chrono::seconds{1})
                                  : core::kNever;
}

void Router::learn(const std::string& key, Domain& domain, const dns::MxResult& result,
                   const StsFinding& sts) {
    const std::string name(domain_of(key));
    Site* const before = std::exchange(domain.site, nullptr);
    domain.failure.reset();
    domain.null_mx = !result && result.error().kind == dns::FailureKind::null_mx;
    if (result) {
        SiteFacts facts;
        facts.plan = *result;
        facts.port = parts_.checked->config.delivery.port;
        apply_settings(name, request_of(key), nullptr, facts);
        apply(sts.policy, facts);
        name_site(facts);
        domain.site = intern(std::move(facts));
        std::chrono::seconds ttl = result->ttl;
        if (sts.asked) ttl = std::min(ttl, sts.ttl);
        domain.expires = shard_.now() + std::max(ttl, std::chrono::seconds{1});
    } else {
        domain.failure = std::make_unique<const Disposition>(disposition_of(result.error()));
        domain.expires = shard_.now() + std::max(result.error().ttl, std::chrono::seconds{1});
    }
    if (before != nullptr) unreference(before);
}

void Router::apply_settings(std::string_view name, TlsRequest request, const RouteConfig* route,
                            SiteFacts& facts) const {
    facts.generation = parts_.checked->generation;
    facts.limits = shaping().limits_for(name);
    facts.provider = shaping().provider_of(name);
    if (shaping().has_table(name)) facts.table = name;
    facts.tls_request = request;
    facts.set_tls(parts_.checked->tls_of(facts.limits, route));
}

void Router::use(std::shared_ptr<const CheckedConfig> checked) {
    parts_.checked = std::move(checked);
    for (auto& [name, domain] : domains_)
        domain.expires = {};
}

Site* Router::intern(SiteFacts facts) {
    auto& place = sites_[key_of(facts)];
    if (place == nullptr) {
        place = std::make_unique<Site>();
        place->home = std::hash<std::string>{}(facts.name) % shard_.count();
        place->facts = std::move(facts);
    }
    ++place->references;
    return place.get();
}

void Router::unreference(Site* site) {
    PH_ASSERT(site->references > 0);
    if (--site->references > 0) return;
    sites_.erase(key_of(site->facts));
}

void Router::answer(Domain& domain, Recipient& recipient) {
    if (domain.site == nullptr) {
        recipient.set_disposition(*domain.failure);
        return receiver_.unroutable(recipient);
    }
    ++domain.site->references;
    recipient.site = domain.site;
    receiver_.routed(recipient);
}

void Router::release(Recipient& recipient) {
    if (recipient.site == nullptr) return;
    // The site is this shard's; only recipients see it as const.
    unreference(const_cast<Site*>(std::exchange(recipient.site, nullptr)));
}

void Router::forget_unused() {
    for (auto entry = domains_.begin(); entry != domains_.end();) {
        Domain& domain = entry->second;
        if (domain.resolving || !domain.waiting.empty()) {
            ++entry;
            continue;
        }
        if (domain.site != nullptr) unreference(domain.site);
        entry = domains_.erase(entry);
    }
}

void Router::stop_waiting() {
    for (auto& [name, domain] : domains_) {
        while (!domain.waiting.empty()) {
            --waiting_;
            receiver_.unroutable(domain.waiting.pop_front());
        }
    }
}

core::Task<void> Router::close() {
    co_await lookups_.close();
    forget_unused();
}

}  // namespace relay
