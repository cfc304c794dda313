// What may be told to a server without SMTPUTF8 (RFC 6531 section 3.2, RFC 6533): an address whose
// local part is ASCII, with the domain in A-labels, and an ORCPT with its UTF-8 written in ASCII.
// Both mean the same as before. A local part in UTF-8 has no such form. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relay {

std::optional<std::string> ascii_mailbox(std::string_view mailbox);
// utf-8-addr-xtext for utf-8-addr-unitext (RFC 6533 section 3): "\x{E9}" for what is above 127.
std::string ascii_original(std::string_view original);

}  // namespace relay
