#include "relay/automation/reactions.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/base/assert.h"
#include "relay/automation/action_keeper.h"

namespace relay {

namespace {

// Its orders are about one tenant's mail: triggers for others are not the same.
bool has_orders(const ReplyRule& rule) {
    return std::ranges::any_of(rule.actions, [](const RuleAction& action) {
        return !RunningAction{.verb = action.verb}.is_of_path();
    });
}

}  // namespace

Reactions::Reactions(core::Shard& shard, AutomationShards& shards,
                     std::shared_ptr<const ReplyRules> rules)
    : shard_(shard), shards_(shards), rules_(std::move(rules)) {
    PH_ASSERT(shard.id() < shards_.reactions.size());
    shards_.reactions[shard.id()] = this;
}

void Reactions::said(const ReplyRules::Of& rules, const Disposition& said,
                     const ReactionSubject& subject) {
    if (closed_) return;
    for (const ReplyRule* rule : rules.match(said)) {
        RuleHit hit{.book = rules.book,
                    .rule = rule,
                    .scope = {subject.source, {}, {}},
                    .reply = std::string(cut_text(reply_line(said), kMostQuoted)),
                    .tenant = subject.tenant,
                    .campaign = subject.campaign,
                    .domain = subject.domain};
        if (rule->of_provider) {
            hit.scope.provider = subject.provider;
        } else {
            hit.scope.site = subject.site;
        }
        const std::size_t counter =
            std::hash<std::string_view>{}(hit.scope.key()) % shards_.reactions.size();
        if (counter == shard_.id()) {
            count(hit);
        } else {
            shard_.tell_owning(counter, [to = shards_.reactions[counter], hit = std::move(hit)] {
                to->count(hit);
            });
        }
    }
}

void Reactions::count(const RuleHit& hit) {
    if (closed_) return;
    const core::Instant now = shard_.now();
    std::string about = hit.scope.key();
    const auto& threshold = hit.rule->threshold;
    if (threshold && !counts_.count(hit.rule->id, about, *threshold, now)) return;
    if (has_orders(*hit.rule)) about += " " + hit.tenant + " " + hit.campaign + " " + hit.domain;
    if (!counts_.tell(hit.rule->id, "told " + about, now)) return;
    shard_.tell_owning(0, [keeper = shards_.keeper, hit] { keeper->triggered(hit); });
}

void Reactions::take(std::shared_ptr<const ActionSet> set) {
    if (closed_) return;
    set_ = std::move(set);
    if (changed_) changed_();
}

}  // namespace relay
