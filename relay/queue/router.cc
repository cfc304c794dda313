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

std::uint64_t mix(std::uint64_t hash, std::string_view text) {
    return (hash ^ std::hash<std::string_view>{}(text)) * 0x9e3779b97f4a7c15U;
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

std::size_t host_count(const dns::MxPlan& plan) {
    std::size_t count = 0;
    for (const dns::MxGroup& group : plan.groups)
        count += group.hosts.size();
    return count;
}

// The order of hosts stays; those that the policy does not allow fail when their turn comes
// (RFC 8461 section 8.4).
void apply(const StsPolicy* policy, SiteFacts& facts) {
    if (policy == nullptr || policy->mode != StsMode::enforce) return;
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

// What the path is named after the hosts: everything that makes deliveries differ.
void name_site(SiteFacts& facts) {
    std::uint64_t fingerprint = facts.port;
    if (facts.routed) {
        for (const NextHop& hop : facts.hops) {
            if (!facts.name.empty()) facts.name.push_back(',');
            facts.name.append(hop.host).append(":");
            facts.name.append(hop.service ? "srv" : std::to_string(hop.port));
        }
        fingerprint = mix(fingerprint, facts.name);
    } else {
        facts.name = facts.plan.site;
        for (const dns::MxGroup& group : facts.plan.groups) {
            fingerprint = mix(fingerprint, std::to_string(group.preference));
            for (const std::string& host : group.hosts)
                fingerprint = mix(fingerprint, host);
        }
    }
    // DANE may apply only where the way to the hosts is authenticated: no connection is shared with
    // a domain for which it is not.
    if (facts.plan.authenticated) facts.name += "/dnssec";
    if (facts.tls_request == TlsRequest::waived) facts.name += "/waived";
    if (facts.tls_request == TlsRequest::required) facts.name += "/requiretls";
    // Likewise a policy: domains share connections only if it allows the same hosts.
    if (facts.sts) facts.name += "/sts";
    if (facts.sts && facts.sts_hosts.size() < host_count(facts.plan)) {
        facts.name += ":" + dns::site_name(facts.sts_hosts);
    }
    if (!facts.table.empty()) facts.name = facts.table + "!" + facts.name;
    facts.fingerprint = fingerprint;
}

std::string key_of(const SiteFacts& facts) {
    std::string key = facts.name;
    key.append("#").append(std::to_string(facts.fingerprint));
    key.append("#").append(std::to_string(facts.generation));
    return key;
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
    if (route == nullptr) {
        domain.resolving = true;
        if (!lookups_.spawn(resolve(found->first))) {
            domain.resolving = false;  // closing: the owner collects what waits
        }
        return;
    }
    SiteFacts facts;
    facts.routed = true;
    facts.hops = route->hosts;
    facts.smarthost = route->smarthost;
    facts.route = route->domain;
    apply_settings(name, request, route, facts);
    name_site(facts);
    // What a route says of its own about TLS or AUTH holds for its mail alone.
    if (route->tls || route->smarthost) facts.name += "/" + route->domain;
    Site* const before = std::exchange(domain.site, intern(std::move(facts)));
    if (before != nullptr) unreference(before);
    domain.failure = {};  // of DNS, before a reload
    domain.null_mx = false;
    domain.expires = core::kNever;
    --waiting_;
    answer(domain, domain.waiting.pop_front());
}

bool Router::takes_no_mail(std::string_view domain) const {
    const PlainDomain plain(domain);
    if (!plain.name()) return false;
    const auto found = domains_.find(*plain.name());
    return found != domains_.end() && found->second.null_mx && found->second.expires > shard_.now();
}

core::Task<void> Router::resolve(std::string key) {
    const std::string name(domain_of(key));
    const dns::MxResult result = co_await dns::resolve_mx(parts_.resolver, name, parts_.rules);
    StsFinding sts;
    const TlsRequest request = request_of(key);
    const bool encrypts =
        parts_.checked->tls_of(shaping().limits_for(name), nullptr) != TlsPolicy::none;
    const bool cares =
        request == TlsRequest::required || (request == TlsRequest::unsaid && encrypts);
    if (result && !result->literal && cares && parts_.sts != nullptr) {  // RFC 8461 section 3.1
        sts = co_await parts_.sts->policy_for(result->domain);
    }
    Domain& domain = domains_.find(key)->second;  // not forgotten while it is resolving
    learn(key, domain, result, sts);
    domain.resolving = false;
    core::IntrusiveList<Recipient, RecipientQueueTag> waiting;
    waiting.splice_back(domain.waiting);
    while (!waiting.empty()) {
        --waiting_;
        answer(domain, waiting.pop_front());
    }
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
        apply(sts.policy.get(), facts);
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

core::Task<void> Router::close() {
    co_await lookups_.close();
    forget_unused();
}

}  // namespace relay
