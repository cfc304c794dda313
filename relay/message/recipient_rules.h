// RecipientRules: what is decided about a recipient at the moment that somebody names it, without
// waiting for anything. The ends that take mail in ask; they have words of their own for the
// answer. Implemented by Intake. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "relay/message/address.h"

namespace relay {

enum class RecipientFault : std::uint8_t {
    address_literal,  // "[192.0.2.1]" is not taken
    null_mx,          // the domain is known to take no mail at all (RFC 7505)
    no_room,          // for one more recipient of this envelope
};

class RecipientRules {
  public:
    virtual ~RecipientRules() = default;
    // No value: it is taken.
    virtual std::optional<RecipientFault> fault_of(const AddressView& recipient) const = 0;
};

}  // namespace relay
