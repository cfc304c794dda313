#include "relay/message/tenant.h"

namespace relay {

const Tenant& TenantTable::intern(std::string_view name) {
    if (name.empty()) return kNoTenant;
    const std::scoped_lock lock(mutex_);
    if (const auto known = by_name_.find(name); known != by_name_.end()) return *known->second;
    if (tenants_.size() >= most_) return kNoTenant;
    const auto id = static_cast<TenantId>(tenants_.size() + 1);
    const Tenant& made = tenants_.emplace_back(Tenant{id, std::string(name)});
    by_name_.emplace(made.name, &made);
    return made;
}

const Tenant* TenantTable::find(TenantId id) const {
    if (id == TenantId::none) return &kNoTenant;
    const std::scoped_lock lock(mutex_);
    const std::size_t place = static_cast<std::size_t>(id) - 1;
    return place < tenants_.size() ? &tenants_[place] : nullptr;
}

std::size_t TenantTable::size() const {
    const std::scoped_lock lock(mutex_);
    return tenants_.size();
}

}  // namespace relay
