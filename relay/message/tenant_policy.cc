#include "relay/message/tenant_policy.h"

#include <utility>

namespace relay {

TenantPolicies::TenantPolicies(std::vector<TenantPolicy> tables) : tables_(std::move(tables)) {
    for (const TenantPolicy& each : tables_) {
        by_name_.emplace(each.name, &each);
        if (each.name == kDefaultTenant) default_ = &each;
    }
}

const std::shared_ptr<const TenantPolicies>& TenantPolicies::none() {
    static const auto kNone = std::make_shared<const TenantPolicies>(std::vector<TenantPolicy>());
    return kNone;
}

}  // namespace relay
