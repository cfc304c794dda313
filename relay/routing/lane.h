// Lanes: what the shards that serve one path tell each other. A path has a home shard. A shard that
// has much mail for it opens a lane: it serves its own mail over connections of its own, of which
// the home grants it some. From time to time the lane reports, and the home answers with terms.
// Values.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/time.h"
#include "relay/message/priority.h"
#include "relay/message/tenant.h"

namespace relay {

// What became of connections since the last report, for the window of the path
// (relay/limits/window.h).
struct LaneSeen {
    std::size_t opened = 0;     // sessions that began
    std::size_t refused = 0;    // connections that could not be opened
    std::size_t fruitless = 0;  // sessions that completed nothing
    std::size_t served = 0;     // others that ended
};

// What waits of one tenant and priority.
struct FlowBacklog {
    static constexpr std::size_t kMaxReported = 32;  // flows of a lane, those whose turn is next

    TenantId tenant = TenantId::none;
    Priority priority = Priority::normal;
    std::size_t recipients = 0;

    bool is_of(const FlowBacklog& other) const {
        return tenant == other.tenant && priority == other.priority;
    }
};

// A flow of the lane that asks, and what each shard has of it.
struct FlowShares {
    FlowBacklog flow;
    std::vector<std::size_t> backlogs;  // by shard
};

struct LaneReport {
    std::size_t has = 0;      // connections; it opens none until it has an answer
    std::size_t wants = 0;    // in all
    std::size_t backlog = 0;  // recipients
    core::Instant worked{};   // the last transaction that completed; the epoch: none
    std::size_t open = 0;     // connections without those that are opening
    LaneSeen seen{};
    std::vector<FlowBacklog> flows{};
};

struct LaneTerms {
    std::size_t places = 0;             // connections that it may have; those above it must end
    std::size_t limit = 0;              // that all may have: rates are shared by it; 0: not known
    bool trial = false;                 // of a count that is new: one that is refused is no chance
    std::size_t others = 0;             // connections that other shards may have
    core::Instant worked{};             // the last transaction that completed, of all shards
    std::vector<std::size_t> backlogs;  // by shard, as last reported
    std::vector<FlowShares> flows;      // empty: all that waits is one flow
};

// How much mail one shard hands to the home of a path.
class LaneTraffic {
  public:
    static constexpr std::uint32_t kBusy = 16;  // recipients in kWithin: worth a lane
    static constexpr core::Duration kWithin = std::chrono::seconds{1};

    // One more. True: it is busy now; the count begins again.
    bool count(core::Instant now) {
        if (now - since_ >= kWithin) {
            since_ = now;
            count_ = 0;
        }
        if (++count_ < kBusy) return false;
        count_ = 0;
        return true;
    }

  private:
    core::Instant since_{};
    std::uint32_t count_ = 0;
};

}  // namespace relay
