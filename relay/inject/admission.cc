#include "relay/inject/admission.h"

#include <algorithm>

#include "core/base/assert.h"

namespace relay {

bool Admission::allows(const core::IpAddress& client) const {
    const core::IpAddress address = client.unmapped();
    return std::ranges::any_of(
        allow_, [&address](const core::IpNetwork& network) { return network.contains(address); });
}

bool Admission::enter(const core::IpAddress& client) {
    const bool stranger = !allows(client);
    const std::lock_guard lock(mutex_);
    if (connections_ >= max_connections_) return false;
    if (stranger) {
        std::size_t& open = strangers_[client.unmapped()];
        if (open >= kStrangersPerAddress) return false;
        ++open;
    }
    ++connections_;
    return true;
}

void Admission::leave(const core::IpAddress& client) {
    const bool stranger = !allows(client);
    const std::lock_guard lock(mutex_);
    PH_ASSERT(connections_ > 0);
    --connections_;
    if (!stranger) return;
    const auto open = strangers_.find(client.unmapped());
    PH_ASSERT(open != strangers_.end());
    if (--open->second == 0) strangers_.erase(open);
}

std::size_t Admission::connections() const {
    const std::lock_guard lock(mutex_);
    return connections_;
}

}  // namespace relay
