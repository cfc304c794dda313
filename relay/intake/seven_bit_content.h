// make_seven_bit(): the step between a complete content and its commit that makes a message with
// octets above 127 fit for every server (RFC 6152 section 3): docs/decisions/0013. Nothing is done
// to content that is 7-bit, that needs SMTPUTF8 in its header section anyway (whoever offers that
// offers 8BITMIME: RFC 6531 section 3.1), or that cannot be changed, which is signed for the most
// part: it stays 8-bit and goes to servers with 8BITMIME. Long contents take several turns of the
// loop, kOctetsPerTurn each. The message must stay where it is until this is done.
#pragma once

#include <cstddef>

#include "core/runtime/reactor.h"
#include "core/runtime/task.h"
#include "relay/message/message.h"

namespace relay {

inline constexpr std::size_t kOctetsPerTurn = 64 * 1024;

// What the conversion may need beside the original.
constexpr std::size_t seven_bit_room(std::size_t octets) {
    return octets * 12 / 5;
}

// False: memory ran out; the message is as it was.
core::Task<bool> make_seven_bit(core::Reactor& reactor, Message* message);

}  // namespace relay
