// Events as text: one JSON object a line, with KumoMTA's record types and field names
// (docs/events.md). Appends a line, ending in a newline, to a buffer of the caller; about a
// microsecond. Text from outside is escaped; octets that are not UTF-8 become U+FFFD, so a line is
// always valid JSON. Pure. Limit: kMostTextOctets of a text from outside are written.
#pragma once

#include <cstddef>
#include <string>

#include "relay/events/event.h"

namespace relay {

inline constexpr std::size_t kMostTextOctets = 2048;

void append_event(std::string& lines, const Event& event);

}  // namespace relay
