#include "relay/dsn/dsn_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/base/ascii.h"
#include "core/base/utf8.h"
#include "relay/smtp/dsn_parameters.h"

namespace relay {
namespace {

constexpr std::size_t kWidth = 76;
constexpr std::size_t kLongestLine = 900;  // of the 998 that a line may have

// How much of the text goes into a line with so much room: up to a blank where there is one.
std::size_t line_length(std::string_view text, std::size_t room) {
    if (text.size() <= room) return text.size();
    const std::size_t blank = text.rfind(' ', room);
    if (blank != std::string_view::npos && blank > 0) return blank;
    const std::size_t next = text.find(' ', room);
    std::size_t length = std::min({next, text.size(), kLongestLine});
    // Not in the middle of a character.
    while (length > 1 && length < text.size() &&
           (static_cast<unsigned char>(text[length]) & 0xc0U) == 0x80U)
        --length;
    return length;
}

void append_code_point(std::string& out, std::string_view sequence) {
    auto point = static_cast<std::uint32_t>(static_cast<unsigned char>(sequence[0]));
    point &= sequence.size() == 2 ? 0x1fU : sequence.size() == 3 ? 0x0fU : 0x07U;
    for (const char c : sequence.substr(1))
        point = point << 6 | (static_cast<unsigned char>(c) & 0x3fU);
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string digits;
    for (; point > 0; point >>= 4)
        digits.insert(digits.begin(), kDigits[point & 15]);
    out.append("\\x{").append(digits).append("}");
}

// utf-8-addr-xtext of RFC 6533 section 3.
std::string ascii_address(std::string_view address) {
    std::string out;
    while (!address.empty()) {
        const std::size_t length = std::max<std::size_t>(core::utf8_sequence(address), 1);
        if (length > 1) {
            append_code_point(out, address.substr(0, length));
        } else {
            const auto octet = static_cast<unsigned char>(address[0]);
            out += octet > 32 && octet < 127 ? address[0] : '?';
        }
        address.remove_prefix(length);
    }
    return out;
}

}  // namespace

bool is_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 128; });
}

std::string clean_line(std::string_view text, bool utf8, std::size_t most) {
    std::string out;
    while (!text.empty()) {
        const std::size_t sequence = core::utf8_sequence(text);
        const std::size_t length = std::max<std::size_t>(sequence, 1);
        const auto octet = static_cast<unsigned char>(text[0]);
        if (out.size() + length > most) break;
        if (octet == ' ' || octet == '\t' || octet == '\n' || octet == '\r') {
            if (!out.empty() && out.back() != ' ') out += ' ';
        } else if (sequence == 0 || (length > 1 && !utf8) ||
                   core::is_unseen_control(core::utf8_value(text.substr(0, length)))) {
            out += '?';
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    while (out.ends_with(' '))
        out.pop_back();
    return out;
}

std::string folded_field(std::string_view name, std::string_view value) {
    std::string out(name);
    out += ':';
    std::size_t room = kWidth - std::min(kWidth - 1, out.size() + 1);
    while (!value.empty()) {
        const std::size_t length = line_length(value, room);
        out.append(" ").append(value.substr(0, length)).append("\r\n");
        value.remove_prefix(length);
        if (value.starts_with(' ')) value.remove_prefix(1);
        room = kWidth - 1;
    }
    if (!out.ends_with("\r\n")) out += "\r\n";
    return out;
}

std::string wrapped(std::string_view text, std::string_view indentation) {
    std::string out;
    do {
        const std::size_t length = line_length(text, kWidth - indentation.size());
        out.append(indentation).append(text.substr(0, length)).append("\r\n");
        text.remove_prefix(length);
        if (text.starts_with(' ')) text.remove_prefix(1);
    } while (!text.empty());
    return out;
}

std::string typed_address(std::string_view address, bool utf8) {
    if (is_ascii(address)) return "rfc822; " + clean_line(address, false, address.size());
    if (utf8) return "utf-8; " + clean_line(address, true, address.size());
    return "utf-8; " + ascii_address(address);
}

std::string original_address(std::string_view orcpt, bool utf8) {
    const std::size_t semicolon = orcpt.find(';');
    if (semicolon == std::string_view::npos) return {};
    const std::string_view type = orcpt.substr(0, semicolon);
    const std::string_view value = orcpt.substr(semicolon + 1);
    const std::string address = decode_xtext(value, true).value_or(std::string(value));
    std::string text = clean_line(type, false, 64) + "; ";
    if (is_ascii(address) || utf8) return text + clean_line(address, utf8, address.size());
    return text + ascii_address(address);
}

std::string base64_lines(std::string_view octets) {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve(octets.size() * 4 / 3 + octets.size() / 28 + 8);
    std::size_t in_line = 0;
    for (std::size_t at = 0; at < octets.size(); at += 3) {
        const std::size_t count = std::min<std::size_t>(3, octets.size() - at);
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            bits = bits << 8 | (i < count ? static_cast<unsigned char>(octets[at + i]) : 0U);
        }
        for (std::size_t i = 0; i < 4; ++i)
            out += i <= count ? kAlphabet[bits >> (18 - 6 * i) & 63] : '=';
        in_line += 4;
        if (in_line == kWidth || at + 3 >= octets.size()) {
            out += "\r\n";
            in_line = 0;
        }
    }
    return out;
}

}  // namespace relay
