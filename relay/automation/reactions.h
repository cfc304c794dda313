// Reactions: automation on one shard. Paths give it the replies that refuse mail; what matches a
// rule is counted by the shard that the rule's scope hashes to, exactly, whichever lanes saw it,
// and a trigger that is reached goes to the ActionKeeper of shard 0. What the keeper decides comes
// back as an ActionSet, the same for all shards, which paths apply to their limits. One per shard,
// on its thread, of the DeliverySide. Limits: those of TriggerCounts; of a reply kMostQuoted octets
// are kept. After close() it does nothing.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/io/shard.h"
#include "relay/automation/reply_rules.h"
#include "relay/automation/running_actions.h"
#include "relay/automation/trigger_counts.h"

namespace relay {

class ActionKeeper;
class Reactions;

// All shards' ends. Filled while shards are built, read-only from then on.
struct AutomationShards {
    explicit AutomationShards(std::size_t shards) : reactions(shards) {}
    std::vector<Reactions*> reactions;
    ActionKeeper* keeper = nullptr;
    std::shared_ptr<const ActionSet> first = std::make_shared<const ActionSet>();
};

// Whose mail a reply is about, as far as that is known.
struct ReactionSubject {
    std::string source;
    std::string provider;
    std::string site;
    std::string tenant{};
    std::string campaign{};
    std::string domain{};
};

class Reactions {
  public:
    static constexpr std::size_t kMostQuoted = 300;

    Reactions(core::Shard& shard, AutomationShards& shards,
              std::shared_ptr<const ReplyRules> rules);

    void use(std::shared_ptr<const ReplyRules> rules) { rules_ = std::move(rules); }
    void close() { closed_ = true; }
    ReplyRules::Of rules_for(const ShapingScope& scope) const {
        return rules_ == nullptr ? ReplyRules::Of{} : rules_->of(scope);
    }
    // A server refused mail, or greeted with a refusal; or we did, in its place.
    void said(const ReplyRules::Of& rules, const Disposition& said, const ReactionSubject& subject);

    const ActionSet& actions() const { return set_ == nullptr ? *shards_.first : *set_; }
    // Called when actions() changed.
    void on_change(std::function<void()> changed) { changed_ = std::move(changed); }

    // ---- letters
    void count(const RuleHit& hit);  // to the scope's shard
    void take(std::shared_ptr<const ActionSet> set);

  private:
    core::Shard& shard_;
    AutomationShards& shards_;
    std::shared_ptr<const ReplyRules> rules_;
    std::shared_ptr<const ActionSet> set_;  // null: as of the start
    std::function<void()> changed_;
    TriggerCounts counts_;
    bool closed_ = false;
};

}  // namespace relay
