#include "dns/wire/wire_name.h"

#include "core/base/ascii.h"
#include "dns/wire/message.h"

namespace dns {

namespace {

bool is_plain(char c) {
    return core::is_alnum(c) || c == '-' || c == '_';
}

// One octet of a name's text: itself, or \DDD. Moves text past it.
std::optional<char> take_octet(std::string_view& text) {
    if (text[0] != '\\') {
        const char octet = text[0];
        text.remove_prefix(1);
        return octet;
    }
    if (text.size() < 4) return std::nullopt;
    int value = 0;
    for (std::size_t i = 1; i < 4; ++i) {
        if (!core::is_digit(text[i])) return std::nullopt;
        value = value * 10 + (text[i] - '0');
    }
    if (value > 255) return std::nullopt;
    text.remove_prefix(4);
    return static_cast<char>(value);
}

}  // namespace

void append_octet(std::string& text, char octet) {
    if (is_plain(octet)) {
        text += core::ascii_lower(octet);
        return;
    }
    const auto value = static_cast<unsigned char>(octet);
    text += '\\';
    text += static_cast<char>('0' + value / 100);
    text += static_cast<char>('0' + value / 10 % 10);
    text += static_cast<char>('0' + value % 10);
}

std::optional<std::string> encode_name(std::string_view text) {
    if (text == ".") return std::string(1, '\0');
    std::string wire;
    std::string label;
    while (true) {
        const bool ended = text.empty() || text[0] == '.';
        if (!ended) {
            const auto octet = take_octet(text);
            if (!octet || label.size() == kMaxLabelOctets) return std::nullopt;
            label += *octet;
            continue;
        }
        if (label.empty()) return std::nullopt;
        wire += static_cast<char>(label.size());
        wire += label;
        label.clear();
        if (wire.size() + 1 > kMaxNameOctets) return std::nullopt;
        if (!text.empty()) text.remove_prefix(1);
        if (text.empty()) break;
    }
    wire += '\0';
    return wire;
}

}  // namespace dns
