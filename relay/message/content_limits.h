// Limits of content, whichever way it comes in: what SMTP and HTTP refuse alike, so that no
// receiver has to. Constants.
#pragma once

#include <cstddef>

namespace relay {

// Octets of a line without CRLF (RFC 5321 section 4.5.3.1.6, RFC 5322 section 2.1.1).
inline constexpr std::size_t kMaxContentLine = 998;
// So many Received fields are a loop (RFC 5321 section 6.3).
inline constexpr std::size_t kMaxReceivedFields = 100;

}  // namespace relay
