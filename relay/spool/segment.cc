#include "relay/spool/segment.h"

#include "core/base/assert.h"

namespace relay {

void Segment::keep(Message& message) {
    live.push_back(message);
    live_octets += message.place.octets;
    message.place.segment = this;
}

void Segment::drop(Message& message) {
    PH_ASSERT(message.place.segment == this && live_octets >= message.place.octets);
    core::IntrusiveList<Message, MessageListTag>::remove(message);
    live_octets -= message.place.octets;
    message.place.segment = nullptr;
}

}  // namespace relay
