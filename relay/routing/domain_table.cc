#include "relay/routing/domain_table.h"

#include "core/base/assert.h"

namespace relay {

DomainTable::~DomainTable() {
    PH_ASSERT(domains_.empty());
}

Domain& DomainTable::find_or_add(std::string_view key) {
    const auto [entry, added] = domains_.add(key);
    Domain& domain = entry->second;
    if (added) {
        domain.key = entry->first;
        names_ += key.size();
        idle_.push_back(domain);
        ++idle_count_;
    }
    return domain;
}

const Domain* DomainTable::find(std::string_view key) const {
    const auto* entry = domains_.find(key);
    return entry == nullptr ? nullptr : &entry->second;
}

void DomainTable::rest(Domain& domain) {
    if (domain.state == DomainState::idle) {
        core::IntrusiveList<Domain, DomainTag>::remove(domain);
    } else {
        PH_ASSERT(domain.waiting.empty());
        domain.state = DomainState::idle;
        ++idle_count_;
    }
    idle_.push_back(domain);
}

void DomainTable::wake(Domain& domain) {
    PH_ASSERT(domain.state == DomainState::idle);
    core::IntrusiveList<Domain, DomainTag>::remove(domain);
    --idle_count_;
}

void DomainTable::forget(Domain& domain) {
    PH_ASSERT(domain.state == DomainState::idle && domain.site == nullptr);
    core::IntrusiveList<Domain, DomainTag>::remove(domain);
    --idle_count_;
    names_ -= domain.key.size();
    domains_.erase(domain.key);
}

}  // namespace relay
