// FairQueue: tenants and campaigns that are set aside, and come back.
#include "relay/path/fair_queue.h"

namespace relay {

template <typename Visit>
void FairQueue::for_each_priority(TenantId tenant, Visit visit) {
    for (std::size_t i = 0; i < kPriorities; ++i) {
        const auto found = tenants_.find(key_of(tenant, static_cast<Priority>(i)));
        if (found != tenants_.end()) visit(found->second);
    }
}

void FairQueue::bring_back(TenantFlow& flow) {
    if (!flow.is_held() && !flow.on_ring() && flow.waiting > 0) link(flow, End::back);
}

void FairQueue::suspend(TenantId tenant) {
    suspended_.insert(tenant);
    for_each_priority(tenant, [this](TenantFlow& flow) {
        flow.suspended = true;
        if (flow.on_ring()) unlink(flow);
    });
}

void FairQueue::resume(TenantId tenant) {
    suspended_.erase(tenant);
    for_each_priority(tenant, [this](TenantFlow& flow) {
        flow.suspended = false;
        bring_back(flow);
    });
}

void FairQueue::suspend(TenantId tenant, std::string_view campaign) {
    suspended_campaigns_.emplace(tenant, campaign);
    for_each_priority(tenant, [&](TenantFlow& owner) {
        CampaignFlow* const flow = find(owner, campaign);
        if (flow == nullptr || flow->suspended) return;
        flow->suspended = true;
        const std::size_t recipients = flow->queue.size();
        if (recipients == 0) return;
        owner.waiting -= recipients;
        if (owner.on_ring()) {
            class_of(owner).waiting -= recipients;
            size_ -= recipients;
        }
        unlink(*flow);
    });
}

void FairQueue::resume(TenantId tenant, std::string_view campaign) {
    suspended_campaigns_.erase({tenant, std::string(campaign)});
    for_each_priority(tenant, [&](TenantFlow& owner) {
        CampaignFlow* const flow = find(owner, campaign);
        if (flow == nullptr || !flow->suspended) return;
        flow->suspended = false;
        const std::size_t recipients = flow->queue.size();
        if (recipients == 0) return;
        if (owner.on_ring()) {
            class_of(owner).waiting += recipients;
            size_ += recipients;
        }
        owner.waiting += recipients;
        link(*flow, End::back);
    });
}

void FairQueue::rest(TenantId tenant, core::Instant until) {
    const auto [place, made] = rests_.try_emplace(tenant, until);
    if (!made) {
        resting_.erase({place->second, tenant});
        place->second = until;
    }
    resting_.emplace(until, tenant);
    for_each_priority(tenant, [this](TenantFlow& flow) {
        flow.rests = true;
        if (flow.on_ring()) unlink(flow);
    });
}

core::Instant FairQueue::wake(core::Instant now) {
    while (!resting_.empty() && resting_.begin()->first <= now) {
        const TenantId tenant = resting_.begin()->second;
        resting_.erase(resting_.begin());
        rests_.erase(tenant);
        for_each_priority(tenant, [this](TenantFlow& flow) {
            flow.rests = false;
            bring_back(flow);
        });
    }
    return resting_.empty() ? core::kNever : resting_.begin()->first;
}

}  // namespace relay
