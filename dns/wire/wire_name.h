// A domain name between its text (see dns/wire/record.h) and its octets on the wire (RFC 1035
// section 3.1): octets that are no letters, digits, hyphens or underscores are written \DDD. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dns {

// Appends one octet of a label to a name's text, in lower case.
void append_octet(std::string& text, char octet);
// Uncompressed. No value: it cannot be a name, by its labels or its length.
std::optional<std::string> encode_name(std::string_view text);

}  // namespace dns
