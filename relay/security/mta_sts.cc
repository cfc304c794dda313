#include "relay/security/mta_sts.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/base/log.h"
#include "dns/alias.h"
#include "relay/security/txt_texts.h"

namespace relay {

namespace {

std::optional<std::string> announced(const dns::DnsAnswer& answer) {
    return sts_id(txt_texts(answer));
}

}  // namespace

MtaSts::MtaSts(core::Shard& shard, dns::Resolver& resolver, PolicySource& source, StsStore& store)
    : shard_(shard),
      resolver_(resolver),
      source_(source),
      store_(store),
      fetches_(shard.reactor(), kMostFetches),
      tasks_(shard.reactor()) {}

core::Task<StsFinding> MtaSts::policy_for(std::string domain) {
    const dns::DnsAnswer answer =
        co_await dns::follow_aliases(resolver_, "_mta-sts." + domain, dns::RecordType::txt);
    StsFinding finding;
    finding.asked = true;
    finding.ttl = answer.ttl;
    StsKnown known = store_.find(domain, shard_.wall());
    finding.policy = known.policy;
    const std::optional<std::string> id = announced(answer);
    if (!id) {  // a name server that is slow to fail must not hold up the mail every few seconds
        finding.ttl = std::max(finding.ttl, kRetryAfter);
        co_return finding;
    }
    const bool wanted = known.policy == nullptr || known.id != *id ||
                        shard_.wall() - known.fetched >= kRefreshAfter;
    const bool failed_lately = known.failed_id == *id && shard_.wall() < known.retry_at;
    if (!wanted) co_return finding;
    if (!failed_lately && known.policy != nullptr) {
        if (!refreshing_.contains(domain)) tasks_.spawn(refresh(domain, *id));
    } else if (!failed_lately) {
        co_await fetch(domain, *id);
        finding.policy = store_.find(domain, shard_.wall()).policy;
    }
    // What is being fetched, or could not be, is looked for again soon.
    finding.ttl = std::min(finding.ttl, kRetryAfter);
    co_return finding;
}

core::Task<void> MtaSts::refresh(std::string domain, std::string id) {
    refreshing_.insert(domain);
    co_await fetch(domain, std::move(id));
    refreshing_.erase(domain);
}

core::Task<void> MtaSts::fetch(std::string domain, std::string id) {
    co_await fetches_.take();
    FetchedPolicy fetched = co_await source_.fetch(domain);
    fetches_.leave();
    TlsFailureType why = fetched.fault == FetchFault::webpki
                             ? TlsFailureType::sts_webpki_invalid
                             : TlsFailureType::sts_policy_fetch_error;
    if (fetched.fault == FetchFault::none) {
        auto policy = parse_sts_policy(fetched.text);
        if (policy) {
            core::log_info("MTA-STS: {}: mode {} for {} s", domain, to_string(policy->mode),
                           policy->max_age.count());
            store_.keep(domain, std::make_shared<const StsPolicy>(std::move(*policy)),
                        std::move(id), shard_.wall());
            co_return;
        }
        fetched.reason = policy.error();
        why = TlsFailureType::sts_policy_invalid;
    }
    core::log_warning("MTA-STS: no policy of {}: {}", domain, core::escaped(fetched.reason));
    store_.note_failure(domain, std::move(id), why, shard_.wall() + kRetryAfter);
}

core::Task<void> MtaSts::close() {
    co_await tasks_.close();
}

}  // namespace relay
