#include "relay/security/session_counts.h"

#include <algorithm>
#include <utility>

#include "core/base/ascii.h"
#include "relay/message/idna.h"

namespace relay {

namespace {

// A policy that could not be fetched was looked for shortly before the mail left, or it is no news.
constexpr core::Duration kFailureCountsFor = std::chrono::minutes{10};

struct Judgement {
    ReportedPolicy policy;
    std::optional<TlsFailureType> failure;
    std::string reason;
};

Judgement by_dane(const TlsOpening& opening) {
    Judgement judged{
        {TlsPolicyKind::tlsa, opening.dane->base, opening.dane->records, {opening.host}},
        opening.failure,
        opening.reason};
    if (!judged.failure && !opening.dane->usable) {
        judged.failure = TlsFailureType::tlsa_invalid;
        judged.reason = "none of the TLSA records is usable";
    }
    return judged;
}

Judgement by_sts(const std::string& domain, const StsPolicy& policy, const TlsOpening& opening) {
    Judgement judged{{TlsPolicyKind::sts, domain, {}, policy.mx}, opening.failure, opening.reason};
    std::vector<std::string>& lines = judged.policy.lines;
    lines = {"version: STSv1", "mode: " + std::string(to_string(policy.mode))};
    for (const std::string& pattern : policy.mx)
        lines.push_back("mx: " + pattern);
    lines.push_back("max_age: " + std::to_string(policy.max_age.count()));
    if (!policy.allows(opening.host)) {
        judged.failure = TlsFailureType::validation_failure;
        judged.reason = "the policy does not name this host";
    } else if (!judged.failure) {
        judged.failure = opening.certificate;
    }
    return judged;
}

Judgement judge(const std::string& domain, const StsKnown& known, const TlsOpening& opening,
                core::WallTime now) {
    if (opening.dane) return by_dane(opening);
    if (known.policy != nullptr && known.policy->mode != StsMode::none) {
        return by_sts(domain, *known.policy, opening);
    }
    const bool unfetched = known.policy == nullptr && !known.failed_id.empty() &&
                           now - known.retry_at < kFailureCountsFor;
    if (unfetched) return {{TlsPolicyKind::sts, domain, {}, {}}, known.failed_why, ""};
    return {{TlsPolicyKind::none, domain, {}, {}}, opening.failure, opening.reason};
}

}  // namespace

void SessionCounts::count(std::string_view written, std::span<const TlsOpening> openings) {
    if (openings.empty()) return;
    std::string domain = core::to_lower(written);
    if (has_utf8(domain)) domain = to_a_labels(written).value_or(std::string());
    if (domain.ends_with('.')) domain.pop_back();
    if (domain.empty()) return;
    const core::WallTime now = shard_.wall();
    const StsKnown known = store_.find(domain, now);
    const TlsTally::Key key{utc_day(now), domain};
    for (const TlsOpening& opening : openings) {
        Judgement judged = judge(domain, known, opening, now);
        std::optional<TlsFailure> failure;
        if (judged.failure) {
            failure = TlsFailure{*judged.failure, opening.sending_ip, opening.host,
                                 opening.receiving_ip, std::move(judged.reason)};
        }
        tally_->count(key, judged.policy, failure);
    }
}

void SessionCounts::hand_over(std::size_t to, TallyTaker& taker, bool last) {
    if (tally_->empty() && tally_->dropped() == 0 && !last) return;
    auto tally = std::exchange(tally_, std::make_unique<TlsTally>());
    shard_.tell_owning(to, [&taker, tally = std::move(tally), last]() mutable {
        taker.take(std::move(tally), last);
    });
}

core::Task<void> SessionCounts::keep_handing_over(std::size_t to, TallyTaker* taker,
                                                  core::Event* stop) {
    while (!co_await stop->wait(shard_.now() + kHandOverEvery))
        hand_over(to, *taker, false);
}

}  // namespace relay
