// Sharing: how the shards that serve one path share its limits and its mail. A path has a home
// shard, which keeps its ledger. A shard with much mail for it opens a lane: a path of its own that
// may use so many of the connections, and of the rates in proportion (relay/routing/lane.h). Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "relay/limits/ledger.h"
#include "relay/limits/window.h"
#include "relay/routing/lane.h"
#include "relay/shaping/limits.h"

namespace relay {

// Each of so many shards can have a part of these limits that is worth having. Those that paths of
// a provider share are kept by one shard.
bool may_be_shared(const ShapingLimits& limits, std::size_t shards);

// Recipients that a shard may have above the mean: of all, and of one flow.
inline constexpr std::size_t kSlack = 64;
inline constexpr std::size_t kFlowSlack = 16;

// Who is to hand how many recipients to whom, so that no shard has much more than the mean. The one
// that asks has `mine`; what the others have it knows from their reports.
struct Move {
    std::size_t shard = 0;
    std::size_t recipients = 0;
};
std::vector<Move> spread(const std::vector<std::size_t>& backlogs, std::size_t self,
                         std::size_t mine, std::size_t slack = kSlack);

// The home's side: the ledger of the path's connections, as many as its window says, and the
// backlogs, also of flows: a tenant whose mail is on some of the shards only would have no share of
// what the others send. What lanes report of connections teaches the window. Owned by the home
// path.
class LaneLedger {
  public:
    // The home has so many connections. The window outlives this.
    LaneLedger(Window& window, std::size_t limit, std::size_t shards, std::size_t home,
               std::size_t has);

    LaneTerms renew(std::size_t shard, const LaneReport& report, core::Instant now);
    std::size_t open() const;  // of all shards
    bool shared_by_others_than(std::size_t shard) const {
        return ledger_.shared_by_others_than(shard);
    }
    std::size_t granted() const { return ledger_.granted(); }
    // Shards that have more than their share.
    std::vector<std::size_t> above_their_share() const { return ledger_.above_their_share(); }

  private:
    void learn(const LaneReport& report, core::Instant now);
    bool is_one_flow() const;
    std::vector<FlowShares> flow_shares(std::size_t shard) const;

    Window& window_;
    Ledger ledger_;
    std::vector<std::size_t> backlogs_;
    std::vector<std::size_t> has_;                 // connections, as last reported
    std::vector<std::size_t> open_;                // of them
    std::vector<std::vector<FlowBacklog>> flows_;  // by shard, as last reported
    core::Instant worked_{};
};

}  // namespace relay
