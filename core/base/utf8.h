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

// Whether the whole text is UTF-8; an empty one is.
inline bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t octets = utf8_sequence(text);
        if (octets == 0) return false;
        text.remove_prefix(octets);
    }
    return true;
}

// The value of a sequence that utf8_sequence() found.
inline char32_t utf8_value(std::string_view sequence) {
    constexpr unsigned kFirstBits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    char32_t value = static_cast<unsigned char>(sequence.front()) & kFirstBits[sequence.size()];
    for (const char c : sequence.substr(1))
        value = value << 6U | (static_cast<unsigned char>(c) & 0x3fU);
    return value;
}

// Characters that people do not see, and that change what a terminal or a page shows: C0, DEL and
// C1 controls, line separators, marks and overrides of direction, joiners, tags.
inline bool is_unseen_control(char32_t value) {
    const auto within = [value](char32_t first, char32_t last) {
        return value >= first && value <= last;
    };
    return value < 0x20 || within(0x7f, 0x9f) || value == 0xad || value == 0x61c ||
           within(0x200b, 0x200f) || within(0x2028, 0x202e) || within(0x2060, 0x206f) ||
           value == 0xfeff || within(0xfff9, 0xfffb) || within(0xe0000, 0xe007f);
}

}  // namespace core
