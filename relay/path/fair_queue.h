// FairQueue: the recipients of a path that wait for a connection, in the order in which they go.
// Urgent mail goes first, then normal, then bulk; when all three wait, of 25 recipients 20, 4 and 1
// are theirs, so that none starves. Within a priority tenants take turns by weight, and within a
// tenant its campaigns, equally (deficit round robin: Shreedhar and Varghese 1995); within a
// campaign first come, first served. The unit is a recipient. A tenant sends as many in a row as
// its weight says. A transaction for more is charged to the turns that follow.
//
// Owned by the path, on its shard, which owns the recipients meanwhile. After put_back() a
// recipient is the next of its priority again. A tenant or campaign may be suspended, and a tenant
// may rest until a time: it is set aside with all its mail in O(1), also mail that comes later, and
// costs nothing until it is brought back. Taking and adding is O(1); with one tenant and campaign
// no table is looked at. Who walks through it does so in slices: expire() stops when its slice is
// full. Limits: none on recipients, which are bounded by the memory limit at acceptance;
// kMaxPassed flows are passed over in one step for what they owe.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/base/time.h"
#include "core/runtime/slices.h"
#include "relay/message/tenant_policy.h"
#include "relay/path/flow.h"
#include "relay/path/ready_queue.h"
#include "relay/routing/lane.h"

namespace relay {

class FairQueue {
  public:
    static constexpr std::array<std::int64_t, kPriorities> kShares = {20, 4, 1};
    static constexpr std::size_t kMaxPassed = 64;
    static constexpr std::int64_t kMaxDebt = 1000;  // recipients, of a priority
    static constexpr int kForgottenAtOnce = 2;      // empty flows, for each recipient that comes

    explicit FairQueue(std::shared_ptr<const TenantPolicies> policies = TenantPolicies::none());
    ~FairQueue();
    FairQueue(const FairQueue&) = delete;
    FairQueue& operator=(const FairQueue&) = delete;

    // Weights as they are now, for turns that begin from now on.
    void use(std::shared_ptr<const TenantPolicies> policies);

    // Of those that may go now.
    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    // Of those that are set aside.
    std::size_t aside() const { return total_ - size_; }

    // Whose turn it is. The queue must not be empty.
    Recipient& front() { return next().queue.front(); }
    Recipient& pop_front();

    void add(Recipient& recipient);
    // It was taken and not used: it keeps its turn.
    void put_back(Recipient& recipient);

    // The first one and those after it that can share its transaction, `most` of them.
    void take_transaction(std::vector<Recipient*>& taken, std::size_t most);
    // All of them, also those set aside, to the end of the other one; each campaign in its order.
    // O(1) for each flow.
    void give_up(ReadyQueue& all);

    // ---- tenants and priorities, for lanes (sharing.h)
    // Of those that may go, the next ones, so many.
    std::vector<FlowBacklog> backlogs(std::size_t most);
    std::size_t backlog(TenantId tenant, Priority priority) const;
    // Of one that rests, too.
    std::size_t waiting_of(TenantId tenant) const;
    // Out of turn, and charged to nobody; there must be one.
    Recipient& pop_front_of(TenantId tenant, Priority priority);

    // ---- setting flows aside. Each is idempotent.
    void suspend(TenantId tenant);
    void resume(TenantId tenant);
    void suspend(TenantId tenant, std::string_view campaign);
    void resume(TenantId tenant, std::string_view campaign);
    // The tenant has no tokens of its rate until then: others go meanwhile.
    void rest(TenantId tenant, core::Instant until);
    // Brings back whoever rested until now, or earlier. The answer: when the next one is due;
    // kNever: nobody rests.
    core::Instant wake(core::Instant now);

    // Takes from the front while is_over(message), and gives each to leave(recipient). After
    // begin_sweep() it looks at the front of every flow, also of those set aside, once. False: the
    // slice is full and there is more to look at.
    template <typename IsOver, typename Leave>
    bool expire(IsOver is_over, Leave leave, core::SliceCount& slice);
    void begin_sweep() { unswept_ = flows_; }

    template <typename Visit>
    void for_each_of_first(std::size_t most, Visit visit);

  private:
    using Ring = core::IntrusiveList<TenantFlow, RingTag>;
    struct Class {
        Ring ring;
        std::size_t waiting = 0;  // recipients of its tenants on the ring
        std::int64_t credit = 0;
    };
    struct CampaignName {
        const TenantFlow* tenant;
        std::string_view campaign;
        bool operator==(const CampaignName&) const = default;
    };
    using Owned = std::unique_ptr<CampaignFlow>;
    static CampaignName name_of(const CampaignName& name) { return name; }
    static CampaignName name_of(const Owned& flow) { return {flow->tenant, flow->campaign}; }
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(const auto& one) const {
            const CampaignName name = name_of(one);
            return std::hash<const void*>()(name.tenant) * 31 +
                   std::hash<std::string_view>()(name.campaign);
        }
    };
    struct Same {
        using is_transparent = void;
        bool operator()(const auto& one, const auto& other) const {
            return name_of(one) == name_of(other);
        }
    };

    static std::uint64_t key_of(TenantId tenant, Priority priority) {
        return static_cast<std::uint64_t>(tenant) * kPriorities +
               static_cast<std::uint64_t>(priority);
    }
    Class& class_of(const TenantFlow& flow) {
        return classes_[static_cast<std::size_t>(flow.priority)];
    }

    // ---- whose turn it is
    CampaignFlow& next();
    Class& next_class();
    template <typename Flow>
    Flow& turn(core::IntrusiveList<Flow, RingTag>& ring);
    static unsigned weight_of(CampaignFlow&) { return 1; }
    unsigned weight_of(TenantFlow& flow);

    // ---- flows
    CampaignFlow& flow_of(const Message& message);
    CampaignFlow& find_or_make(const Message& message);
    CampaignFlow* find(TenantFlow& tenant, std::string_view campaign);
    template <typename Visit>
    void for_each_priority(TenantId tenant, Visit visit);
    void forget(CampaignFlow& flow);
    // Which end of a ring: its turn comes last, or next.
    enum class End : std::uint8_t { back, front };
    void link(CampaignFlow& flow, End end);
    void unlink(CampaignFlow& flow);
    void link(TenantFlow& flow, End end);
    void unlink(TenantFlow& flow);
    void bring_back(TenantFlow& flow);

    // ---- counts
    void came(CampaignFlow& flow, End end);
    // So many left its queue.
    void left(CampaignFlow& flow, std::size_t recipients);
    void charge(CampaignFlow& flow, std::size_t recipients);

    std::shared_ptr<const TenantPolicies> policies_;
    unsigned generation_ = 1;
    std::array<Class, kPriorities> classes_;
    std::size_t size_ = 0;
    std::size_t total_ = 0;
    std::size_t flows_ = 0;           // with mail
    std::size_t unswept_ = 0;         // of them
    CampaignFlow* latest_ = nullptr;  // that mail was added to; it stays when it is empty
    core::IntrusiveList<CampaignFlow, AllFlowsTag> all_;    // that have mail
    core::IntrusiveList<CampaignFlow, AllFlowsTag> empty_;  // given up, and not forgotten yet
    std::unordered_map<std::uint64_t, TenantFlow> tenants_;
    std::unordered_set<Owned, Hash, Same> campaigns_;
    std::unordered_set<TenantId> suspended_;
    std::set<std::pair<TenantId, std::string>, std::less<>> suspended_campaigns_;
    std::unordered_map<TenantId, core::Instant> rests_;
    std::set<std::pair<core::Instant, TenantId>> resting_;  // the same, by time
};

template <typename IsOver, typename Leave>
bool FairQueue::expire(IsOver is_over, Leave leave, core::SliceCount& slice) {
    // False: the slice is full.
    const auto expire_front = [&](CampaignFlow& flow) {
        if (slice.full()) return false;
        Recipient& recipient = flow.queue.pop_front();
        left(flow, 1);
        leave(recipient);
        return true;
    };
    while (!empty()) {
        CampaignFlow& flow = next();
        if (!is_over(*flow.queue.front().message)) break;
        if (!expire_front(flow)) return false;
    }
    for (; unswept_ > 0 && !all_.empty(); --unswept_) {
        if (slice.full()) return false;
        CampaignFlow& flow = all_.pop_front();
        all_.push_back(flow);
        std::size_t waiting = flow.queue.size();  // the flow is gone with the last of them
        while (waiting > 0 && is_over(*flow.queue.front().message)) {
            if (!expire_front(flow)) {  // the next slice goes on here
                core::IntrusiveList<CampaignFlow, AllFlowsTag>::remove(flow);
                all_.push_front(flow);
                return false;
            }
            --waiting;
        }
    }
    unswept_ = 0;
    return true;
}

template <typename Visit>
void FairQueue::for_each_of_first(std::size_t most, Visit visit) {
    all_.for_each_while([&](CampaignFlow& flow) {
        flow.queue.for_each_of_first(most, visit);
        most -= std::min(most, flow.queue.size());
        return most > 0;
    });
}

}  // namespace relay
