// WebReports: hands TLS reports in over HTTPS with a certificate that is verified (RFC 8460 allows
// not to look; a report names hosts and addresses). The address comes from the shard's resolver,
// never one that [delivery] prohibits: the URL is the receiver's word. No redirects. kMostAddresses
// are tried, kTime in all. One, on the reporter's shard.
#pragma once

#include <cstddef>

#include "core/http/https_client.h"
#include "dns/mx.h"
#include "relay/reporting/report_door.h"

namespace relay {

class WebReports final : public ReportDoor {
  public:
    static constexpr std::size_t kMostAddresses = 2;
    static constexpr std::chrono::seconds kTime{60};

    WebReports(core::Shard& shard, core::HttpsClient& client, dns::Resolver& resolver,
               const dns::RoutingRules& rules)
        : shard_(shard), client_(client), resolver_(resolver), rules_(rules) {}

    core::Task<std::string> post(HttpsUrl url, std::string file) override;

  private:
    core::Shard& shard_;
    core::HttpsClient& client_;
    dns::Resolver& resolver_;
    const dns::RoutingRules& rules_;
};

}  // namespace relay
