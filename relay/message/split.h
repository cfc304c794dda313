// Splitting a message: mail for very many recipients becomes several messages that share their
// content, of at most Message::kMostRecipients each. So whatever is done with all recipients of a
// message in one step of a loop (a record of the spool written, checked and read again, a copy of
// it) takes about a millisecond, however many were named. Pure; on the origin shard.
#pragma once

#include <cstddef>
#include <memory>

#include "relay/message/message.h"

namespace relay {

// The last recipients of a message that is not committed yet, so many, go over to a message that
// was just begun (Acceptance::begin: it has an id, a time and an origin). It is as the whole is in
// all else. The content is sealed and in memory. 0 < recipients < those of the whole.
void split_off(Message& whole, Message& part, std::size_t recipients);

}  // namespace relay
