// WebPolicies: fetches MTA-STS policy files from https://mta-sts.<domain>/.well-known/mta-sts.txt
// (RFC 8461 section 3.3): HTTPS with a certificate for exactly that name, no redirects, status 200,
// media type text/plain, 64 KiB at most. The address comes from the shard's resolver,
// never one that [delivery] prohibits; kMostAddresses are tried. One per shard.
#pragma once

#include <cstddef>

#include "core/http/https_client.h"
#include "dns/mx.h"
#include "relay/security/policy_source.h"

namespace relay {

class WebPolicies final : public PolicySource {
  public:
    static constexpr std::size_t kMostAddresses = 2;
    static constexpr std::uint16_t kPort = 443;

    WebPolicies(core::Shard& shard, core::HttpsClient& client, dns::Resolver& resolver,
                const dns::RoutingRules& rules)
        : shard_(shard), client_(client), resolver_(resolver), rules_(rules) {}

    core::Task<PolicyHost> locate(std::string domain) override;
    core::Task<FetchedPolicy> fetch(std::string domain, PolicyHost host,
                                    core::Duration time) override;

  private:
    core::Shard& shard_;
    core::HttpsClient& client_;
    dns::Resolver& resolver_;
    const dns::RoutingRules& rules_;
};

}  // namespace relay
