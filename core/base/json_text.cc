#include "core/base/json_text.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "core/base/utf8.h"

namespace core {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

// Octets that stand for themselves in a JSON string.
constexpr std::array<bool, 256> kPlain = [] {
    std::array<bool, 256> plain{};
    for (std::size_t i = 0x20; i < 0x7f; ++i)
        plain[i] = i != '"' && i != '\\';
    return plain;
}();

void append_unit(std::string& out, unsigned unit) {
    constexpr std::string_view kHex = "0123456789abcdef";
    out += "\\u";
    for (const unsigned shift : {12U, 8U, 4U, 0U})
        out += kHex[unit >> shift & 15U];
}

void append_escaped_value(std::string& out, char32_t value) {
    if (value < 0x10000) return append_unit(out, value);
    append_unit(out, 0xd800U + ((value - 0x10000) >> 10U));
    append_unit(out, 0xdc00U + ((value - 0x10000) & 0x3ffU));
}

void append_escape(std::string& out, char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            return;
        case '\\':
            out += "\\\\";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\r':
            out += "\\r";
            return;
        case '\t':
            out += "\\t";
            return;
        default:
            append_unit(out, static_cast<unsigned char>(c));
    }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    std::size_t done = 0;
    std::size_t at = 0;
    while (at < text.size()) {
        if (kPlain[static_cast<unsigned char>(text[at])]) {
            ++at;
            continue;
        }
        const std::size_t sequence = utf8_sequence(text.substr(at));
        const char32_t value = sequence > 1 ? utf8_value(text.substr(at, sequence)) : U'\0';
        if (sequence > 1 && !is_unseen_control(value)) {
            at += sequence;
            continue;
        }
        out.append(text.substr(done, at - done));
        if (sequence == 0) {
            out += kReplacement;
        } else if (sequence > 1) {
            append_escaped_value(out, value);
        } else {
            append_escape(out, text[at]);
        }
        done = at += std::max<std::size_t>(sequence, 1);
    }
    out.append(text.substr(done));
    out += '"';
}

}  // namespace core
