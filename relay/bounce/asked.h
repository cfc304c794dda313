// Asked: which command a reply answers, as far as the meaning of the reply depends on it, and the
// names of these commands in dispositions and in files of bounce rules. Pure values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace relay {

enum class Asked : std::uint8_t {
    greeting,  // the connection itself
    hello,     // EHLO, HELO
    starttls,
    auth,
    mail,
    rcpt,
    data,
    content,  // the final dot, or BDAT
    nothing,  // a reply to no command, or to one that carries no mail
};

// By the command of a Disposition: "MAIL", ".", "connect".
Asked asked_by(std::string_view command);
// As rules name it: greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, content; letters of either
// case.
std::optional<Asked> asked_named(std::string_view name);

}  // namespace relay
