// UTF-8 (RFC 3629) as it is checked wherever text from outside is taken or written. Pure.
// A sequence is judged by its first four octets at most; no state is kept between calls.
#pragma once

#include <cstddef>
#include <string_view>

namespace core {

// How many octets the sequence at the beginning of text has: 1 to 4, or 0 when there is none
// (section 4: overlong forms, surrogates and values above U+10FFFF are none; neither is no text).
inline std::size_t utf8_sequence(std::string_view text) {
    const auto octet = [&](std::size_t i) -> unsigned {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto continues = [&](std::size_t i) { return (octet(i) & 0xc0U) == 0x80U; };
    if (text.empty()) return 0;
    const unsigned first = octet(0);
    const unsigned second = octet(1);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        if (!continues(1) || !continues(2)) return 0;
        const bool overlong = first == 0xe0 && second < 0xa0;
        const bool surrogate = first == 0xed && second > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (!continues(1) || !continues(2) || !continues(3)) return 0;
        const bool overlong = first == 0xf0 && second < 0x90;
        const bool too_large = first == 0xf4 && second > 0x8f;
        return overlong || too_large ? 0 : 4;
    }
    return 0;
}

}  // namespace core
