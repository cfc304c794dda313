// Writing JSON by hand where a document is small and its shape fixed: strings are escaped as RFC
// 8259 section 7 asks, octets that are not UTF-8 become U+FFFD, so the result is always valid.
// Pure.
#pragma once

#include <string>
#include <string_view>

namespace core {

// Appends text as a JSON string with its quotation marks.
void append_json_string(std::string& out, std::string_view text);

}  // namespace core
