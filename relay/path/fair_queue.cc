#include "relay/path/fair_queue.h"

#include <algorithm>

#include "core/base/assert.h"

namespace relay {

FairQueue::FairQueue(std::shared_ptr<const TenantPolicies> policies)
    : policies_(std::move(policies)) {
    for (std::size_t i = 0; i < kPriorities; ++i)
        classes_[i].credit = kShares[i];
}

FairQueue::~FairQueue() {
    PH_ASSERT(total_ == 0);
    while (!empty_.empty())
        empty_.pop_front();
}

void FairQueue::use(std::shared_ptr<const TenantPolicies> policies) {
    if (policies == policies_) return;
    policies_ = std::move(policies);
    ++generation_;
}

// ---- whose turn it is

CampaignFlow& FairQueue::next() {
    PH_ASSERT(size_ > 0);
    TenantFlow& tenant = turn(next_class().ring);
    return turn(tenant.ring);
}

FairQueue::Class& FairQueue::next_class() {
    std::int64_t rounds = kMaxDebt + 1;
    for (std::size_t i = 0; i < kPriorities; ++i) {
        Class& one = classes_[i];
        if (one.waiting == 0) continue;
        if (one.waiting == size_) {  // it is alone: nobody has waited for a share
            for (std::size_t j = 0; j < kPriorities; ++j)
                classes_[j].credit = kShares[j];
            return one;
        }
        if (one.credit > 0) return one;
        rounds = std::min(rounds, -one.credit / kShares[i] + 1);
    }
    for (std::size_t i = 0; i < kPriorities; ++i) {
        Class& one = classes_[i];
        one.credit = std::min(one.credit + rounds * kShares[i], kShares[i]);
    }
    const auto goes = [](const Class& one) { return one.waiting > 0 && one.credit > 0; };
    return *std::ranges::find_if(classes_, goes);
}

// A turn begins with as much credit as the weight, and ends when charge() has used it up.
template <typename Flow>
Flow& FairQueue::turn(core::IntrusiveList<Flow, RingTag>& ring) {
    for (std::size_t passed = 0;; ++passed) {
        Flow& first = ring.front();
        if (first.credit > 0) return first;
        first.credit += weight_of(first);
        if (first.credit > 0) return first;
        if (&first == &ring.back() || passed == kMaxPassed) {  // what it owes is forgiven
            first.credit = weight_of(first);
            return first;
        }
        ring.push_back(ring.pop_front());
    }
}

unsigned FairQueue::weight_of(TenantFlow& flow) {
    if (flow.generation != generation_) {
        flow.generation = generation_;
        flow.weight = policies_->of(flow.tenant->name).weight;
    }
    return flow.weight;
}

// ---- in and out

Recipient& FairQueue::pop_front() {
    CampaignFlow& flow = next();
    Recipient& recipient = flow.queue.pop_front();
    charge(flow, 1);
    left(flow, 1);
    return recipient;
}

void FairQueue::take_transaction(std::vector<Recipient*>& taken, std::size_t most) {
    CampaignFlow& flow = next();
    const std::size_t before = flow.queue.size();
    flow.queue.take_transaction(taken, most);
    const std::size_t count = before - flow.queue.size();
    charge(flow, count);
    left(flow, count);
}

void FairQueue::add(Recipient& recipient) {
    CampaignFlow& flow = flow_of(*recipient.message);
    flow.queue.push_back(recipient);
    came(flow, End::back);
}

void FairQueue::put_back(Recipient& recipient) {
    CampaignFlow& flow = flow_of(*recipient.message);
    TenantFlow& tenant = *flow.tenant;
    flow.queue.push_front(recipient);
    came(flow, End::front);
    // What it was charged, so that its turn goes on.
    flow.credit = std::max<std::int64_t>(flow.credit + 1, 1);
    tenant.credit = std::max<std::int64_t>(tenant.credit + 1, 1);
    Class& priority = class_of(tenant);
    const std::int64_t share = kShares[static_cast<std::size_t>(tenant.priority)];
    priority.credit = std::min(priority.credit + 1, share);
    if (flow.on_ring()) {
        tenant.ring.remove(flow);
        tenant.ring.push_front(flow);
    }
    if (tenant.on_ring()) {
        priority.ring.remove(tenant);
        priority.ring.push_front(tenant);
    }
}

void FairQueue::give_up(ReadyQueue& all) {
    CampaignFlow* const last = std::exchange(latest_, nullptr);
    if (last != nullptr && last->queue.empty()) forget(*last);
    while (!all_.empty()) {
        CampaignFlow& flow = all_.pop_front();
        all.splice_back(flow.queue);
        flow.credit = 0;
        if (flow.on_ring()) flow.tenant->ring.remove(flow);
        if (flow.tenant->on_ring()) flow.tenant->unlink();
        flow.tenant->waiting = 0;
        flow.tenant->credit = 0;
        empty_.push_back(flow);
    }
    for (Class& one : classes_)
        one.waiting = 0;
    size_ = total_ = flows_ = unswept_ = 0;
}

// ---- for lanes

std::vector<FlowBacklog> FairQueue::backlogs(std::size_t most) {
    std::vector<FlowBacklog> found;
    for (Class& one : classes_) {
        one.ring.for_each_while([&](TenantFlow& flow) {
            if (found.size() >= most) return false;
            found.push_back({flow.tenant->id, flow.priority, flow.waiting});
            return true;
        });
    }
    return found;
}

std::size_t FairQueue::backlog(TenantId tenant, Priority priority) const {
    const auto found = tenants_.find(key_of(tenant, priority));
    const bool goes = found != tenants_.end() && found->second.on_ring();
    return goes ? found->second.waiting : 0;
}

std::size_t FairQueue::waiting_of(TenantId tenant) const {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < kPriorities; ++i) {
        const auto found = tenants_.find(key_of(tenant, static_cast<Priority>(i)));
        if (found != tenants_.end()) sum += found->second.waiting;
    }
    return sum;
}

Recipient& FairQueue::pop_front_of(TenantId tenant, Priority priority) {
    const auto found = tenants_.find(key_of(tenant, priority));
    PH_ASSERT(found != tenants_.end() && found->second.on_ring());
    TenantFlow& owner = found->second;
    CampaignFlow& flow = turn(owner.ring);
    Recipient& recipient = flow.queue.pop_front();
    if (--flow.credit <= 0) {
        owner.ring.remove(flow);
        owner.ring.push_back(flow);
    }
    left(flow, 1);
    return recipient;
}

// ---- counts

// One more is in its queue.
void FairQueue::came(CampaignFlow& flow, End end) {
    if (flow.queue.size() == 1) {
        ++flows_;
        if (flow.is_listed()) core::IntrusiveList<CampaignFlow, AllFlowsTag>::remove(flow);
        all_.push_back(flow);
        if (!flow.suspended) link(flow, end);
    }
    ++total_;
    for (int i = 0; i < kForgottenAtOnce && !empty_.empty(); ++i)
        forget(empty_.pop_front());
    if (flow.suspended) return;
    ++flow.tenant->waiting;
    if (!flow.tenant->on_ring()) return;
    ++class_of(*flow.tenant).waiting;
    ++size_;
}

void FairQueue::left(CampaignFlow& flow, std::size_t recipients) {
    TenantFlow& tenant = *flow.tenant;
    total_ -= recipients;
    if (!flow.suspended) tenant.waiting -= recipients;
    if (!flow.suspended && tenant.on_ring()) {
        class_of(tenant).waiting -= recipients;
        size_ -= recipients;
    }
    if (!flow.queue.empty()) return;
    --flows_;
    core::IntrusiveList<CampaignFlow, AllFlowsTag>::remove(flow);
    if (flow.on_ring()) unlink(flow);
    flow.credit = 0;
    if (tenant.waiting == 0) tenant.credit = 0;
    forget(flow);
}

// Its turn, and that of its tenant, end when they have used up their credit.
void FairQueue::charge(CampaignFlow& flow, std::size_t recipients) {
    TenantFlow& tenant = *flow.tenant;
    Class& priority = class_of(tenant);
    const auto count = static_cast<std::int64_t>(recipients);
    priority.credit = std::max(priority.credit - count, -kMaxDebt);
    if ((flow.credit -= count) <= 0) {
        tenant.ring.remove(flow);
        tenant.ring.push_back(flow);
    }
    if ((tenant.credit -= count) <= 0) {
        priority.ring.remove(tenant);
        priority.ring.push_back(tenant);
    }
}

// ---- flows

CampaignFlow& FairQueue::flow_of(const Message& message) {
    if (latest_ != nullptr) {
        const TenantFlow& tenant = *latest_->tenant;
        const Labels& labels = message.labels();
        if (labels.tenant->id == tenant.tenant->id && message.priority == tenant.priority &&
            labels.campaign == latest_->campaign) {
            return *latest_;
        }
    }
    CampaignFlow& found = find_or_make(message);
    CampaignFlow* const before = std::exchange(latest_, &found);
    if (before != nullptr && before->queue.empty()) forget(*before);
    return found;
}

CampaignFlow& FairQueue::find_or_make(const Message& message) {
    const Labels& labels = message.labels();
    const TenantId id = labels.tenant->id;
    const auto [place, made] =
        tenants_.try_emplace(key_of(id, message.priority), *labels.tenant, message.priority);
    TenantFlow& tenant = place->second;
    const auto is_suspended = [&](std::string_view campaign) {
        return !suspended_campaigns_.empty() &&
               suspended_campaigns_.contains(std::pair{id, std::string(campaign)});
    };
    if (made) {
        tenant.suspended = !suspended_.empty() && suspended_.contains(id);
        tenant.rests = !rests_.empty() && rests_.contains(id);
        tenant.plain.suspended = is_suspended({});
    }
    if (labels.campaign.empty()) return tenant.plain;
    const auto known = campaigns_.find(CampaignName{&tenant, labels.campaign});
    if (known != campaigns_.end()) return **known;
    ++tenant.campaigns;
    CampaignFlow& flow =
        **campaigns_.insert(std::make_unique<CampaignFlow>(tenant, labels.campaign)).first;
    flow.suspended = is_suspended(labels.campaign);
    return flow;
}

CampaignFlow* FairQueue::find(TenantFlow& tenant, std::string_view campaign) {
    if (campaign.empty()) return &tenant.plain;
    const auto known = campaigns_.find(CampaignName{&tenant, campaign});
    return known == campaigns_.end() ? nullptr : known->get();
}

// An empty one; the latest stays, so that a tenant alone is never looked up.
void FairQueue::forget(CampaignFlow& flow) {
    if (&flow == latest_) return;
    TenantFlow& tenant = *flow.tenant;
    if (&flow != &tenant.plain) {
        --tenant.campaigns;
        campaigns_.erase(campaigns_.find(CampaignName{&tenant, flow.campaign}));
    }
    if (tenant.campaigns > 0 || tenant.plain.is_listed() || latest_ == &tenant.plain) return;
    tenants_.erase(key_of(tenant.tenant->id, tenant.priority));
}

void FairQueue::link(CampaignFlow& flow, End end) {
    TenantFlow& tenant = *flow.tenant;
    end == End::front ? tenant.ring.push_front(flow) : tenant.ring.push_back(flow);
    if (!tenant.on_ring() && !tenant.is_held()) link(tenant, end);
}

void FairQueue::unlink(CampaignFlow& flow) {
    TenantFlow& tenant = *flow.tenant;
    tenant.ring.remove(flow);
    if (tenant.ring.empty() && tenant.on_ring()) unlink(tenant);
}

void FairQueue::link(TenantFlow& flow, End end) {
    Class& priority = class_of(flow);
    end == End::front ? priority.ring.push_front(flow) : priority.ring.push_back(flow);
    priority.waiting += flow.waiting;
    size_ += flow.waiting;
}

void FairQueue::unlink(TenantFlow& flow) {
    Class& priority = class_of(flow);
    priority.ring.remove(flow);
    priority.waiting -= flow.waiting;
    size_ -= flow.waiting;
}

}  // namespace relay
