#include "relay/smtp/client_command.h"

#include <utility>

#include "core/base/assert.h"

namespace relay {

std::string_view name_of(ClientCommand command) {
    constexpr std::string_view kNames[] = {"connect", "EHLO", "HELO", "STARTTLS", "AUTH",
                                           "RSET",    "MAIL", "RCPT", "DATA",     "BDAT",
                                           ".",       ".",    "QUIT"};
    return kNames[static_cast<std::size_t>(command)];
}

core::Duration limit_for(ClientCommand command, const TimeLimits& limits) {
    switch (command) {
        case ClientCommand::greeting:
            return limits.banner;
        case ClientCommand::ehlo:
        case ClientCommand::helo:
            return limits.ehlo;
        case ClientCommand::starttls:
            return limits.starttls;
        case ClientCommand::auth:
            return limits.auth;
        case ClientCommand::rset:
            return limits.rset;
        case ClientCommand::mail:
            return limits.mail_from;
        case ClientCommand::rcpt:
            return limits.rcpt_to;
        case ClientCommand::data:
            return limits.data;
        case ClientCommand::bdat:
        case ClientCommand::dot:
        case ClientCommand::lone_dot:
            return limits.data_dot;
        case ClientCommand::quit:
            return limits.quit;
    }
    PH_ASSERT(false && "a command");
    std::unreachable();
}

}  // namespace relay
