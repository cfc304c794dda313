#include "relay/node/lookups.h"

#include <utility>

namespace relay {

core::Result<std::unique_ptr<Lookups>> Lookups::open(core::Shard& shard, LookupParts parts) {
    const DnsConfig& config = parts.checked.config.dns;
    dns::AresOptions options;
    for (const core::SocketAddress& server : config.servers)
        options.servers.push_back(server.to_string());
    options.trust_ad = config.trust_ad;
    auto channel = dns::AresChannel::open(shard, options);
    if (!channel) return std::unexpected(channel.error());
    auto made = std::unique_ptr<Lookups>(new Lookups);
    made->channel_ = std::move(*channel);
    made->resolver_ = std::make_unique<dns::CachedResolver>(
        shard, *made->channel_, dns::CacheLimits{}, parts.answers, options.servers);
    if (!parts.checked.tls_roots) return made;
    auto https = core::HttpsClient::open(shard, *parts.checked.tls_roots);
    if (!https) return std::unexpected(https.error());
    made->https_ = std::move(*https);
    made->web_policies_ =
        std::make_unique<WebPolicies>(shard, *made->https_, *made->resolver_, parts.rules);
    made->sts_ =
        std::make_unique<MtaSts>(shard, *made->resolver_, *made->web_policies_, parts.policies);
    return made;
}

void Lookups::use(const CheckedConfig& checked) {
    if (https_ != nullptr && checked.tls_roots) https_->use_roots(*checked.tls_roots);
}

core::Task<void> Lookups::stop(StopPhase phase) {
    if (phase == StopPhase::cut_off) co_await answer_all_at_once();
    if (phase == StopPhase::home) {
        co_await answer_all_at_once();  // a start that failed has skipped the phases before
        if (sts_ != nullptr) co_await sts_->close();
    }
}

core::Task<void> Lookups::answer_all_at_once() {
    resolver_->stop();
    if (https_ != nullptr) co_await https_->close();
    co_await channel_->close();
}

}  // namespace relay
