// Pieces of a delivery status notification: text from outside made fit for a header field or for
// reading, folding, and the encodings of RFC 6533 and RFC 2045. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace relay {

// One line of printable text: control characters, and what is not UTF-8, become "?" (white space a
// blank); without utf8 everything above 126 does. At most so many octets.
std::string clean_line(std::string_view text, bool utf8, std::size_t most);

// "name: value" with CRLF, folded at blanks to about 76 octets a line and never beyond 900.
std::string folded_field(std::string_view name, std::string_view value);
// The same for reading: lines of about 76 octets that begin with the indentation.
std::string wrapped(std::string_view text, std::string_view indentation);

// "rfc822; user@example.com", or the type utf-8 with \x{E9} for what is not ASCII, unless utf8 is
// allowed.
std::string typed_address(std::string_view address, bool utf8);
// From ORCPT, whose value is xtext.
std::string original_address(std::string_view orcpt, bool utf8);

std::string base64_lines(std::string_view octets);
bool is_ascii(std::string_view text);

}  // namespace relay
