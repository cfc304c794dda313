// set_expiry(): how old a message may get, where a request or its listener says so: the shorter of
// the two. Schedules of [retry] and of destinations hold beside it, so it only ever shortens. Pure.
#pragma once

#include <algorithm>

#include "relay/message/message.h"

namespace relay {

// Zero: nothing was said.
inline void set_expiry(Message& message, core::Duration of_request, core::Duration of_listener) {
    core::Duration age = std::max(of_request, of_listener);
    if (of_request > core::Duration{} && of_listener > core::Duration{}) {
        age = std::min(of_request, of_listener);
    }
    if (age > core::Duration{}) message.set_expires(message.created + age);
}

}  // namespace relay
