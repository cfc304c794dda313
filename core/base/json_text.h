// Text as a JSON string (RFC 8259 section 7), for documents that are small or hot enough to be
// written by hand. Pure and fast: runs of plain characters are copied at once. What comes out is
// valid JSON and valid UTF-8 whatever goes in: controls that people do not see
// (is_unseen_control()) are escaped as \uNNNN, each octet that is no part of a UTF-8 sequence
// becomes U+FFFD.
#pragma once

#include <string>
#include <string_view>

namespace core {

// Appends the text, quotes included.
void append_json_string(std::string& out, std::string_view text);

}  // namespace core
