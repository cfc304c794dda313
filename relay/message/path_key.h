// PathKey: which path a recipient takes: from an egress source, to a site, under one demand for
// TLS. Recipients of equal keys share connections, limits and what is learned about the servers;
// all others share nothing. A value, the same on every shard. Names in logs and events are
// SiteFacts::name, which is for people and tells no paths apart. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "relay/message/message.h"
#include "relay/message/source_id.h"

namespace relay {

struct SiteKey {
    bool routed = false;  // by a [[route]]: hosts in order, with ports; otherwise a set of MX hosts
    std::string hosts;
    std::string table;     // shaping table whose limits hold, by its domain; empty: the default
    std::string provider;  // of shaping files, whose limits hold; empty: none
    bool provider_shares = false;  // it has limits for all its paths, which have one home then
    std::string route;  // the [[route]] whose own TLS or login holds, by its domain; empty: none
    bool operator==(const SiteKey&) const = default;
};

// What tells paths to the same hosts apart: a connection made under weaker terms must not serve
// mail that asks for more.
struct TlsTerms {
    TlsRequest request = TlsRequest::unsaid;  // by the mail (RFC 8689)
    bool authenticated = false;  // DNSSEC vouches for the way to the hosts: DANE counts
    bool sts = false;            // an MTA-STS policy is in force
    std::string bound;           // hosts of a route that have a policy of their own
    std::string allowed;         // hosts that the policies allow
    bool operator==(const TlsTerms&) const = default;
};

struct PathKey {
    SourceId source = SourceId::any;
    SiteKey site;
    TlsTerms tls;
    bool operator==(const PathKey&) const = default;
};

struct PathKeyHash {
    std::size_t operator()(const PathKey& key) const;
};

// The shard that keeps the path. Paths of a source that share the limits of a provider have one.
std::size_t home_of(const PathKey& key, std::size_t shards);

}  // namespace relay
