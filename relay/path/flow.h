// Flows: what waits in a path, apart by whose it is. A TenantFlow is the mail of one tenant and
// priority, a CampaignFlow that of one campaign of it; the one without a campaign is part of the
// TenantFlow. A flow whose turn may come is on a ring; the ring is its FairQueue's. Plain values of
// that queue, on its shard. Limit: a flow that is empty is forgotten, but for the latest one, so
// there are never more of them than recipients, and one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/intrusive_list.h"
#include "relay/message/priority.h"
#include "relay/message/tenant.h"
#include "relay/path/ready_queue.h"

namespace relay {

struct RingTag;
struct AllFlowsTag;
struct TenantFlow;

struct CampaignFlow final : core::ListLink<RingTag>, core::ListLink<AllFlowsTag> {
    CampaignFlow(TenantFlow& owner, std::string name) : tenant(&owner), campaign(std::move(name)) {}

    // On the ring of its tenant: it has mail and is not suspended.
    bool on_ring() const { return core::ListLink<RingTag>::linked(); }

    TenantFlow* tenant;
    const std::string campaign;
    ReadyQueue queue;
    std::int64_t credit = 0;  // recipients that it may send in this turn; below zero: it owes them
    bool suspended = false;
};

struct TenantFlow final : core::ListLink<RingTag> {
    TenantFlow(const Tenant& whose, Priority of) : tenant(&whose), priority(of) {}

    // On the ring of its priority: it has mail that may go.
    bool on_ring() const { return linked(); }
    bool is_held() const { return suspended || rests; }

    const Tenant* tenant;
    const Priority priority;
    core::IntrusiveList<CampaignFlow, RingTag> ring;
    std::size_t waiting = 0;    // recipients of its campaigns on the ring
    std::size_t campaigns = 0;  // flows beside `plain`
    std::int64_t credit = 0;
    unsigned weight = 1;
    unsigned generation = 0;  // of the policies that the weight is from
    bool suspended = false;
    bool rests = false;
    CampaignFlow plain{*this, {}};
};

}  // namespace relay
