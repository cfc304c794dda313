#include "relay/security/mta_sts.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "dns/alias.h"

namespace relay {

namespace {

// Of one TXT record: strings of up to 255 octets, each behind its length (RFC 1035 section 3.3.14).
std::optional<std::string> joined(std::string_view octets) {
    std::string text;
    while (!octets.empty()) {
        const auto length = static_cast<std::size_t>(static_cast<unsigned char>(octets.front()));
        if (octets.size() < length + 1) return std::nullopt;
        text += octets.substr(1, length);
        octets.remove_prefix(length + 1);
    }
    return text;
}

std::optional<std::string> announced(const dns::DnsAnswer& answer) {
    if (answer.status != dns::DnsStatus::ok) return std::nullopt;
    std::vector<std::string> records;
    for (const dns::Record& record : answer.records) {
        if (auto text = joined(std::get<dns::RawData>(record.data).octets)) {
            records.push_back(std::move(*text));
        }
    }
    return sts_id(records);
}

}  // namespace

MtaSts::MtaSts(core::Shard& shard, dns::Resolver& resolver, PolicySource& source, StsStore& store)
    : shard_(shard),
      resolver_(resolver),
      source_(source),
      store_(store),
      place_free_(shard.reactor()),
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
    if (fetching_ >= kMostFetches) {
        co_await place_free_.wait();  // the place is handed over
    } else {
        ++fetching_;
    }
    FetchedPolicy fetched = co_await source_.fetch(domain);
    if (place_free_.has_waiters()) {
        place_free_.notify_one();
    } else {
        --fetching_;
    }
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
    }
    core::log_warning("MTA-STS: no policy of {}: {}", domain, core::escaped(fetched.reason));
    store_.note_failure(domain, std::move(id), shard_.wall() + kRetryAfter);
}

core::Task<void> MtaSts::close() {
    co_await tasks_.close();
}

}  // namespace relay
