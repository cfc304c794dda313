// ClientCommand: what a client says, or waits for, in a session; its name in messages and events,
// and how long its reply may take (RFC 5321 section 4.5.3.2). Pure values.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/time.h"
#include "relay/smtp/time_limits.h"

namespace relay {

// Up to helo: what opens a session.
enum class ClientCommand : std::uint8_t {
    greeting,
    ehlo,
    helo,
    starttls,
    auth,
    rset,
    mail,
    rcpt,
    data,
    bdat,
    dot,
    lone_dot,  // ends content that nobody gets
    quit
};

std::string_view name_of(ClientCommand command);
core::Duration limit_for(ClientCommand command, const TimeLimits& limits);

}  // namespace relay
