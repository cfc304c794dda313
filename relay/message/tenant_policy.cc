#include "relay/message/tenant_policy.h"

#include <utility>

namespace relay {

TenantPolicies::TenantPolicies(std::vector<TenantPolicy> tables) : tables_(std::move(tables)) {
    for (const TenantPolicy& each : tables_) {
        by_name_.emplace(each.name, &each);
        if (each.name == kDefaultTenant) default_ = &each;
        if (each.max_message_rate) limit_rates_ = true;
    }
}

const std::shared_ptr<const TenantPolicies>& TenantPolicies::none() {
    static const auto kNone = std::make_shared<const TenantPolicies>(std::vector<TenantPolicy>());
    return kNone;
}

}  // namespace relay
