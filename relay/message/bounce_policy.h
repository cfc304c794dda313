// BouncePolicy: what is done about a recipient that fails. A listener's setting, kept with each of
// its messages. Plain value.
#pragma once

#include <cstdint>

namespace relay {

enum class BouncePolicy : std::uint8_t {
    record,  // an event
    mail,    // a notification by mail
    both,
};

}  // namespace relay
