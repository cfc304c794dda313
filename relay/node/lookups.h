// Lookups: what one shard asks of others before it sends: DNS through a cache, and the policies of
// MTA-STS over HTTPS. Made by open() on its shard; origin, delivery and control use it and stop
// before it is destroyed. MTA-STS and HTTPS are there only where there are roots to verify anything
// with. Limits: those of the cache and of MtaSts.
#pragma once

#include <memory>

#include "core/http/https_client.h"
#include "core/io/shard.h"
#include "core/runtime/task.h"
#include "dns/ares_channel.h"
#include "dns/cached_resolver.h"
#include "relay/config/check.h"
#include "relay/node/stop_phase.h"
#include "relay/security/mta_sts.h"
#include "relay/security/web_policies.h"

namespace relay {

struct LookupParts {
    const CheckedConfig& checked;
    dns::SharedAnswers* answers = nullptr;  // of all shards; null: there is one shard
    const dns::RoutingRules& rules;
    StsStore& policies;
};

class Lookups {
  public:
    static core::Result<std::unique_ptr<Lookups>> open(core::Shard& shard, LookupParts parts);

    dns::CachedResolver& resolver() { return *resolver_; }
    core::HttpsClient* https() { return https_.get(); }
    MtaSts* sts() { return sts_.get(); }

    void use(const CheckedConfig& checked);
    // cut_off: whoever asks, or waits for, a name server or a policy host is answered at once.
    core::Task<void> stop(StopPhase phase);

  private:
    Lookups() = default;
    core::Task<void> answer_all_at_once();

    std::unique_ptr<dns::AresChannel> channel_;
    std::unique_ptr<dns::CachedResolver> resolver_;
    std::unique_ptr<core::HttpsClient> https_;
    std::unique_ptr<WebPolicies> web_policies_;
    std::unique_ptr<MtaSts> sts_;
};

}  // namespace relay
