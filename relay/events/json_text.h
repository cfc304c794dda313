// Times as JSON values, appended to a string. Pure and fast: no iostreams, no locale. Text as a
// JSON value is core/base/json_text.h.
#pragma once

#include <string>

#include "core/base/time.h"

namespace relay {

// "2026-11-22T21:30:00.123456Z", quotes included.
void append_rfc3339_string(std::string& out, core::WallTime time);

}  // namespace relay
