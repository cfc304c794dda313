#include "relay/path/tenant_rates.h"

#include <string>
#include <vector>

#include "core/base/assert.h"

namespace relay {

void TenantRates::use(std::shared_ptr<const TenantPolicies> policies) {
    if (policies == policies_) return;
    policies_ = std::move(policies);
    std::vector<TenantId> waited;
    for (auto& [tenant, turn] : turns_) {
        if (turn.waits()) waited.push_back(tenant);
    }
    turns_.clear();
    for (const TenantId tenant : waited)
        mail_.may_go_again(tenant);
}

TenantRates::Turn& TenantRates::turn_of(const Tenant& tenant) {
    if (const auto found = turns_.find(tenant.id); found != turns_.end()) return found->second;
    if (turns_.size() >= kMostKept) {
        std::erase_if(turns_, [](const auto& entry) { return !entry.second.waits(); });
    }
    const TenantPolicy& policy = policies_->of(tenant.name);
    std::shared_ptr<SharedRate> rate;
    if (policy.max_message_rate) {
        rate = rates_->share_of("tenant " + policy.name, *policy.max_message_rate);
    }
    return turns_.try_emplace(tenant.id, mail_, tenant.id, std::move(rate)).first->second;
}

bool TenantRates::may_go(const Tenant& tenant) {
    Turn& turn = turn_of(tenant);
    if (turn.rate() == nullptr || turn.rate()->may_take()) return true;
    turn.rate()->wait(turn);
    return false;
}

void TenantRates::put_back(const Tenant& tenant) {
    Turn& turn = turn_of(tenant);
    if (turn.rate() != nullptr) turn.rate()->put_back();
}

void TenantRates::take(const Tenant& tenant) {
    Turn& turn = turn_of(tenant);
    if (turn.rate() == nullptr) return;
    const bool taken = turn.rate()->try_take();
    PH_ASSERT(taken);
}

}  // namespace relay
