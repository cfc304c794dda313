// RunningActions: the book of all actions that run, by rule, action and scope. A trigger begins one
// or prolongs it; a reduction goes down by its factor with each trigger, and step by step up again
// over its duration. A rule that is gone from its file leaves its actions: they end by their time,
// as KumoMTA's do. Pure; one, on shard 0. Limit: kMostRunning: beyond it the one that would end
// first ends at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/base/time.h"
#include "relay/automation/reply_rules.h"
#include "relay/automation/running_action.h"

namespace relay {

// A rule whose trigger is reached: for which scope, by which reply to whose mail.
struct RuleHit {
    std::shared_ptr<const ReplyRules> book;  // keeps the rule
    const ReplyRule* rule = nullptr;
    ActionScope scope;
    std::string reply;
    std::string tenant;  // empty: not known
    std::string campaign;
    std::string domain;
};

class RunningActions {
  public:
    static constexpr std::size_t kMostRunning = 2000;
    static constexpr std::size_t kSteps = 10;  // up again, of a reduction
    // Replies of one moment are one fact: a reduction goes down no oftener.
    static constexpr core::Duration kReduceApart = std::chrono::seconds{10};
    // An action is not prolonged for less than so much of its duration.
    static constexpr int kLeastProlonged = 100;

    enum class Taken : std::uint8_t {
        nothing,  // it runs already
        began,
        again,  // prolonged, or less
        unfit,  // the reply says nothing of a tenant, a campaign or a domain
    };
    // The action of the rule at this place. running: as it is now.
    Taken take(const RuleHit& hit, std::size_t place, core::WallTime now,
               const RunningAction** running);
    // Ends what is over and takes the steps that are due. True: something changed.
    bool advance(core::WallTime now);
    // When advance() has something to do; WallTime::max(): nothing runs.
    core::WallTime next_change() const;
    bool end(std::uint64_t number);

    std::shared_ptr<const ActionSet> snapshot() const;
    std::size_t size() const { return actions_.size(); }
    std::size_t suspended_paths() const;

    // ---- over a restart: a text of TOML
    std::string text() const;
    // What still runs of an earlier process. Empty: as it should be; otherwise what is wrong, and
    // what was understood is there.
    std::string read(std::string_view text, core::WallTime now);

  private:
    using Key = std::tuple<std::uint64_t, std::size_t, std::string>;
    void make_room();

    std::map<Key, RunningAction> actions_;
    std::uint64_t numbers_ = 0;
};

}  // namespace relay
