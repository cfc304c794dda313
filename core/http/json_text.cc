#include "core/http/json_text.h"

#include <cstddef>

#include "core/base/utf8.h"

namespace core {

namespace {

constexpr char kHex[] = "0123456789abcdef";

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
        } else if (const std::size_t length = utf8_sequence(text.substr(i)); length > 0) {
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
