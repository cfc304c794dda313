#include "relay/intake/intake_shares.h"

#include "core/base/assert.h"
#include "relay/intake/admission.h"

namespace relay {

IntakeShares::Hold::Hold(IntakeShares& shares, const core::IpAddress& client)
    : shares_(shares), client_(client_network(client)) {}

void IntakeShares::Hold::set(std::size_t octets) {
    const std::size_t before = attributed();
    PH_ASSERT(shares_.total_ >= octets_);
    shares_.total_ += octets - octets_;
    octets_ = octets;
    const std::size_t after = attributed();
    if (before == after) return;
    std::size_t& held = shares_.by_client_[client_];
    PH_ASSERT(held >= before);
    held += after - before;
    if (held == 0) shares_.by_client_.erase(client_);
}

std::size_t IntakeShares::Hold::must_be_left() const {
    if (octets_ <= kUnattributed) return 0;
    const auto found = shares_.by_client_.find(client_);
    PH_ASSERT(found != shares_.by_client_.end());
    return found->second / 2;
}

}  // namespace relay
