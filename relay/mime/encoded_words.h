// Encoded words (RFC 2047): text in UTF-8 as "=?UTF-8?Q?…?=" or "?B?", whichever is shorter, in
// words of 75 octets at most that end between characters. Also parameters in UTF-8 (RFC 2231).
// Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace relay {

inline constexpr std::size_t kMaxEncodedWord = 75;    // RFC 2047 section 2
inline constexpr std::size_t kLeastEncodedWord = 24;  // any character fits

// Appends the text as encoded words, with CRLF and a blank between two of them; the first one has
// `first` octets at most. They may stand in any place where encoded words may: no octet of them is
// special in a phrase or a comment.
void append_encoded_words(std::string& out, std::string_view text,
                          std::size_t first = kMaxEncodedWord);

// `name*=UTF-8''gr%C3%BCn`, or `name*0*=…; name*1*=…` where that is longer than a line.
std::string extended_parameter(std::string_view name, std::string_view value);

}  // namespace relay
