#include "core/http/json_text.h"

#include <cstddef>

namespace core {

namespace {

constexpr char kHex[] = "0123456789abcdef";

bool continuation(unsigned char octet) {
    return (octet & 0xC0U) == 0x80U;
}

// Length of the well-formed UTF-8 sequence at text[at] (RFC 3629 section 4), or 0.
std::size_t sequence_length(std::string_view text, std::size_t at) {
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    const std::size_t left = text.size() - at;
    const unsigned char first = octet(0);
    if (first >= 0xC2 && first <= 0xDF) return left >= 2 && continuation(octet(1)) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        if (left < 3 || !continuation(octet(1)) || !continuation(octet(2))) return 0;
        if (first == 0xE0 && octet(1) < 0xA0) return 0;  // overlong
        if (first == 0xED && octet(1) > 0x9F) return 0;  // surrogate
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (left < 4 || !continuation(octet(1)) || !continuation(octet(2)) ||
            !continuation(octet(3))) {
            return 0;
        }
        if (first == 0xF0 && octet(1) < 0x90) return 0;  // overlong
        if (first == 0xF4 && octet(1) > 0x8F) return 0;  // above U+10FFFF
        return 4;
    }
    return 0;
}

void append_escaped(std::string& out, char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            break;
        case '\\':
            out += "\\\\";
            break;
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        case '\t':
            out += "\\t";
            break;
        default: {
            const auto octet = static_cast<unsigned char>(c);
            out += "\\u00";
            out += kHex[octet >> 4];
            out += kHex[octet & 15U];
        }
    }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    for (std::size_t i = 0; i < text.size();) {
        const auto octet = static_cast<unsigned char>(text[i]);
        if (octet < 0x20 || octet == '"' || octet == '\\' || octet == 0x7F) {
            append_escaped(out, text[i++]);
        } else if (octet < 0x80) {
            out += text[i++];
        } else if (const std::size_t length = sequence_length(text, i); length > 0) {
            out.append(text, i, length);
            i += length;
        } else {
            out += "\xEF\xBF\xBD";
            ++i;
        }
    }
    out += '"';
}

}  // namespace core
