#include "relay/routing/site.h"

#include <functional>
#include <string_view>

namespace relay {

namespace {

std::uint64_t mix(std::uint64_t hash, std::string_view text) {
    return (hash ^ std::hash<std::string_view>{}(text)) * 0x9e3779b97f4a7c15U;
}

std::size_t host_count(const dns::MxPlan& plan) {
    std::size_t count = 0;
    for (const dns::MxGroup& group : plan.groups)
        count += group.hosts.size();
    return count;
}

std::string hosts_of(const std::vector<NextHop>& hops) {
    std::string hosts;
    for (const NextHop& hop : hops) {
        if (!hosts.empty()) hosts.push_back(',');
        hosts.append(hop.host).append(":");
        hosts.append(hop.service ? "srv" : std::to_string(hop.port));
    }
    return hosts;
}

std::string joined(const std::vector<std::string>& hosts) {
    std::string text;
    for (const std::string& host : hosts) {
        if (!text.empty()) text.push_back(',');
        text += host;
    }
    return text;
}

// What people read in logs and events. Two paths may have one name.
std::string name_of(const SiteFacts& facts) {
    const PathKey& path = facts.path;
    std::string name = path.site.table.empty() ? std::string() : path.site.table + "!";
    name += path.site.hosts;
    if (path.tls.authenticated) name += "/dnssec";
    if (path.tls.request == TlsRequest::waived) name += "/waived";
    if (path.tls.request == TlsRequest::required) name += "/requiretls";
    if (facts.sts) name += "/sts";
    for (const std::string& host : facts.sts_bound)
        name.append("+").append(host);
    const std::size_t bound = facts.routed ? facts.sts_bound.size() : host_count(facts.plan);
    if (facts.sts && facts.sts_hosts.size() < bound) name += ":" + path.tls.allowed;
    if (!path.site.route.empty()) name += "/" + path.site.route;
    return name;
}

}  // namespace

std::string SiteFacts::learned(const std::string& endpoint) const {
    if (path.source == SourceId::any) return endpoint;
    return "#" + std::to_string(static_cast<unsigned>(path.source)) + " " + endpoint;
}

void identify(SiteFacts& facts, SourceId source) {
    facts.path = {};
    facts.path.source = source;
    SiteKey& site = facts.path.site;
    site.routed = facts.routed;
    site.table = facts.table;
    site.provider = facts.provider;
    site.provider_shares = !facts.provider.empty() && facts.limits.shares_with_provider();
    site.route = facts.route;
    std::uint64_t fingerprint = facts.port;
    if (facts.routed) {
        site.hosts = hosts_of(facts.hops);
        fingerprint = mix(fingerprint, site.hosts);
    } else {
        site.hosts = facts.plan.site;
        for (const dns::MxGroup& group : facts.plan.groups) {
            fingerprint = mix(fingerprint, std::to_string(group.preference));
            for (const std::string& host : group.hosts)
                fingerprint = mix(fingerprint, host);
        }
    }
    TlsTerms& tls = facts.path.tls;
    tls.request = facts.tls_request;
    // DANE may apply only where the way to the hosts is authenticated: no connection is shared with
    // a domain for which it is not.
    tls.authenticated = facts.plan.authenticated;
    // Domains share connections only if their policies allow the same hosts.
    tls.sts = facts.sts;
    if (facts.sts) {
        tls.bound = joined(facts.sts_bound);
        tls.allowed = dns::site_name(facts.sts_hosts);
    }
    facts.name = name_of(facts);
    facts.fingerprint = fingerprint;
}

std::size_t SiteVersionHash::operator()(const SiteVersion& version) const {
    const std::size_t path = PathKeyHash{}(version.path);
    return (path ^ version.fingerprint ^ version.generation << 1) * 0x9e3779b97f4a7c15U;
}

SiteVersion version_of(const SiteFacts& facts) {
    return {facts.path, facts.fingerprint, facts.generation};
}

}  // namespace relay
