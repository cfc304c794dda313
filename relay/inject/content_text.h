// Content from text: a message as a caller of the HTTP interface writes it, with LF or CRLF line
// ends, becomes the octets that SMTP carries. Pure. Every line ends in CRLF afterwards; a CR that
// is not part of a line end, a NUL, or a line longer than kMaxLine is refused, so that no receiver
// sees lines where we see none (RFC 5321 section 2.3.8, RFC 5322 section 2.1.1).
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "relay/message/content.h"

namespace relay {

inline constexpr std::size_t kMaxLine = 998;            // octets without CRLF
inline constexpr std::size_t kMaxReceivedFields = 100;  // RFC 5321 section 6.3: more is a loop

struct ContentFacts {
    bool eight_bit = false;    // octets above 127
    bool tls_waived = false;   // "TLS-Required: No" (RFC 8689)
    bool utf8_header = false;  // such octets in the header section (RFC 6532)
    std::size_t received_fields = 0;
};

// Appends the text to content, which holds whole lines (or nothing) before. On failure a sentence
// for the caller; content is then of no use.
std::expected<ContentFacts, std::string> append_text(Content& content, std::string_view text);

}  // namespace relay
