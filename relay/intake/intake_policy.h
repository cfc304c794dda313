// IntakePolicy: what a listener lays down about the mail that comes in by it, whatever its
// protocol. Plain values from the configuration; constant while the listener serves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"
#include "relay/message/bounce_policy.h"
#include "relay/message/label_fields.h"

namespace relay {

struct IntakePolicy {
    std::string hostname;                // ours, for Received
    std::vector<core::IpNetwork> allow;  // who may hand mail in; empty: nobody
    std::uint64_t max_message_size = 50ULL << 20;
    std::size_t max_recipients = 1000;  // of a message
    BouncePolicy bounces = BouncePolicy::record;
    bool verp = false;              // a return path of its own for each recipient
    bool convert_eight_bit = true;  // content to 7-bit (seven_bit_content.h)
    bool address_literals = false;  // recipients at "[192.0.2.1]" are taken
    core::Duration max_age{};       // of its mail; zero: as schedules say
    LabelFieldNames labels{};       // header fields that say whose mail it is
    std::uint64_t seed = 0;         // for RecipientSet
    // Octets of all mail that is not complete yet, on one shard, whatever room Acceptance has.
    std::size_t max_incomplete = std::numeric_limits<std::size_t>::max();
};

}  // namespace relay
