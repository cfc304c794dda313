#include "relay/queue/site.h"

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

}  // namespace

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
    for (const std::string& host : facts.sts_bound)
        facts.name.append("+").append(host);
    const std::size_t bound = facts.routed ? facts.sts_bound.size() : host_count(facts.plan);
    if (facts.sts && facts.sts_hosts.size() < bound) {
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

}  // namespace relay
