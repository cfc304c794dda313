// Blanks inside a line, as the formats of mail and DNS have them: space and horizontal tab (WSP of
// RFC 5234). Pure, constexpr.
#pragma once

#include <string_view>

namespace core {

constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

constexpr std::string_view trim_blanks(std::string_view text) {
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()))
        text.remove_suffix(1);
    return text;
}

}  // namespace core
