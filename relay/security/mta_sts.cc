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
      fast_(shard.reactor(), kMostFetches, kMostWaiting),
      slow_(shard.reactor(), kMostSlow, kMostSlowWaiting),
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
        finding.busy = !co_await fetch(domain, *id);
        finding.policy = store_.find(domain, shard_.wall()).policy;
    }
    // What is being fetched, or could not be, is looked for again soon.
    finding.ttl = std::min(finding.ttl, kRetryAfter);
    co_return finding;
}

core::Task<void> MtaSts::refresh(std::string domain, std::string id) {
    refreshing_.insert(domain);
    (void)co_await fetch(domain, std::move(id));  // false: the next message tries again
    refreshing_.erase(domain);
}

core::Task<bool> MtaSts::fetch(std::string domain, std::string id) {
    const PolicyHost host = co_await source_.locate(domain);
    FetchedPolicy fetched;
    fetched.reason = host.reason;
    if (!host.addresses.empty()) {
        if (!co_await fetch_in(&fast_, domain, host, kBriefTime, &fetched)) co_return false;
        if (fetched.timed_out && !co_await fetch_in(&slow_, domain, host, kFullTime, &fetched)) {
            co_return false;
        }
    }
    learn(domain, std::move(id), std::move(fetched));
    co_return true;
}

core::Task<bool> MtaSts::fetch_in(Lane* lane, std::string domain, PolicyHost host,
                                  core::Duration time, FetchedPolicy* fetched) {
    if (lane->waiting >= lane->most_waiting) co_return false;
    ++lane->waiting;
    co_await lane->places.take();
    --lane->waiting;
    *fetched = co_await source_.fetch(std::move(domain), std::move(host), time);
    lane->places.leave();
    co_return true;
}

void MtaSts::learn(const std::string& domain, std::string id, FetchedPolicy fetched) {
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
            return;
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
