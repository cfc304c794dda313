// Text and times as JSON values, appended to a string. Pure and fast: runs of plain characters are
// copied at once. What comes out is valid JSON and valid UTF-8 whatever goes in: control characters
// are escaped, each octet that is no part of a UTF-8 sequence becomes U+FFFD.
#pragma once

#include <string>
#include <string_view>

#include "core/base/time.h"

namespace relay {

// The text as a JSON string, quotes included.
void append_json_string(std::string& out, std::string_view text);

// "2026-11-22T21:30:00.123456Z", quotes included.
void append_rfc3339_string(std::string& out, core::WallTime time);

}  // namespace relay
