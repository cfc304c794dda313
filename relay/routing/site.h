// Site: where a domain's mail goes: the hosts of a [[route]], or the set of MX hosts that the
// domain shares with others ("MX rollup"). With an egress source it makes a path. Made by the
// Router of an origin shard, immutable, freed by that origin once no recipient and no domain refers
// to it. The home shard reads it while it holds a recipient that points to it, and keeps a copy of
// what it needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dns/mx.h"
#include "relay/config/config.h"
#include "relay/egress/source.h"
#include "relay/message/message.h"
#include "relay/message/path_key.h"
#include "relay/routing/lane.h"
#include "relay/shaping/policy.h"

namespace relay {

struct SiteFacts {
    PathKey path;
    std::string name;           // of the path, for people; identity is `path`
    bool routed = false;        // hops, not plan
    std::vector<NextHop> hops;  // in order
    dns::MxPlan plan;           // by preference
    std::uint16_t port = 25;    // of MX hosts
    ShapingLimits limits;
    TlsPolicy tls = TlsPolicy::opportunistic;
    // Of all mail that goes this way (RFC 8689). Waived: what the domain publishes about its TLS
    // counts for nothing, only the configuration does. Required: hosts are authenticated, and each
    // of them passes the requirement on.
    TlsRequest tls_request = TlsRequest::unsaid;
    // MTA-STS policies in force (RFC 8461): of the hosts that one binds only these may be used,
    // with a certificate that is trusted and theirs. A domain's policy binds all hosts of the plan;
    // a host of a route, as a smarthost, has its own (section 3.4) or is not bound.
    bool sts = false;
    std::vector<std::string> sts_hosts;
    std::vector<std::string> sts_bound;          // of a route
    std::shared_ptr<const Smarthost> smarthost;  // of a route; null: none
    // Where its mail leaves from; null: as the machine chooses. `path` has its number.
    std::shared_ptr<const EgressSource> source;
    std::size_t destination = 0;  // metrics label
    // Where that comes from: the domain whose shaping table holds (empty: the default), the
    // provider that the site belongs to (empty: none), the [[route]] by its domain if it says
    // something of its own about TLS or login (that holds for its mail alone), and which
    // configuration it was. A path looks them up again after a reload.
    std::string table;
    std::string provider;
    std::string route;
    std::uint64_t generation = 0;
    std::uint64_t fingerprint = 0;  // of hosts and their order; the path leaves preferences out

    ShapingScope scope() const {
        return {.table = table,
                .provider = provider,
                .source = source == nullptr ? kDefaultSource : std::string_view(source->name)};
    }
    // By which HostMemory knows a host: what is learned holds for one source.
    std::string learned(const std::string& endpoint) const;
    // By the configuration, raised by what the mail asks for.
    void set_tls(TlsPolicy configured) {
        const bool raised =
            tls_request == TlsRequest::required && configured != TlsPolicy::implicit;
        tls = raised ? TlsPolicy::verify : configured;
    }
};

struct Site {
    // The same site as another egress source sees it; holds a reference.
    struct BySource {
        SourceId source = SourceId::any;
        Site* site = nullptr;
    };

    SiteFacts facts;
    std::size_t home = 0;               // shard that owns the path
    std::size_t references = 0;         // recipients and domains; the origin's alone
    mutable LaneTraffic traffic{};      // to the home; the origin's alone
    std::vector<BySource> by_source{};  // of a site of the source "default"; the origin's alone
    core::Instant unfit_until{};        // its source has no way to these hosts; the origin's alone
};

// Sets path, name and fingerprint by everything else, for paths of this source.
void identify(SiteFacts& facts, SourceId source = SourceId::any);

// Tells apart what one path's domains know of it at different times: the path, the order of its
// hosts, the configuration.
struct SiteVersion {
    PathKey path;
    std::uint64_t fingerprint = 0;
    std::uint64_t generation = 0;
    bool operator==(const SiteVersion&) const = default;
};
struct SiteVersionHash {
    std::size_t operator()(const SiteVersion& version) const;
};
SiteVersion version_of(const SiteFacts& facts);

}  // namespace relay
