#include "core/base/json_text.h"

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

void append_escape(std::string& out, char c) {
    constexpr std::string_view kHex = "0123456789abcdef";
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
            out += "\\u00";
            out += kHex[static_cast<unsigned char>(c) >> 4];
            out += kHex[static_cast<unsigned char>(c) & 15];
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
        if (sequence > 1) {
            at += sequence;
            continue;
        }
        out.append(text.substr(done, at - done));
        if (sequence == 0) {
            out += kReplacement;
        } else {
            append_escape(out, text[at]);
        }
        done = ++at;
    }
    out.append(text.substr(done));
    out += '"';
}

}  // namespace core
