// header_field(): the value of the first field of a name in a header section, for the few fields
// that a relay looks at (Message-ID in logs and in delivery status notifications). Pure: a view
// into the text that was given, which may end anywhere; folding is left as it is.
#pragma once

#include <string_view>

namespace relay {

// Without the white space around it; empty: no such field, or an empty one. Ends at the empty line.
std::string_view header_field(std::string_view head, std::string_view name);
// The header section at the beginning of the text, with the CRLF of its last field and without the
// empty line.
std::string_view header_section(std::string_view text);

}  // namespace relay
