#include "relay/mime/encoded_words.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/base/ascii.h"
#include "core/base/assert.h"
#include "core/base/utf8.h"

namespace relay {

namespace {

constexpr std::string_view kHex = "0123456789ABCDEF";
constexpr std::size_t kFrame = 12;       // octets of "=?UTF-8?Q?" and "?="
constexpr std::size_t kMaxSection = 50;  // of a parameter's value

// What stands for itself in Q everywhere: RFC 2047 section 5, rule (3).
bool is_plain(char c) {
    return core::is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

std::size_t q_size(std::string_view text) {
    std::size_t size = 0;
    for (const char c : text)
        size += is_plain(c) || c == ' ' ? 1U : 3U;
    return size;
}

void append_hex(std::string& out, char mark, char c) {
    out += mark;
    out += kHex[static_cast<unsigned char>(c) >> 4];
    out += kHex[static_cast<unsigned char>(c) & 15];
}

void append_q(std::string& out, std::string_view text) {
    out += "=?UTF-8?Q?";
    for (const char c : text) {
        if (c == ' ') {
            out += '_';
        } else if (is_plain(c)) {
            out += c;
        } else {
            append_hex(out, '=', c);
        }
    }
    out += "?=";
}

void append_b(std::string& out, std::string_view text) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out += "=?UTF-8?B?";
    for (std::size_t at = 0; at < text.size(); at += 3) {
        std::uint32_t bits = 0;
        const std::size_t length = std::min<std::size_t>(3, text.size() - at);
        for (std::size_t i = 0; i < 3; ++i)
            bits = bits << 8 | (i < length ? static_cast<unsigned char>(text[at + i]) : 0U);
        for (std::size_t i = 0; i < 4; ++i)
            out += i <= length ? kDigits[bits >> (18 - 6 * i) & 63] : '=';
    }
    out += "?=";
}

// Octets at the beginning of the text, whole characters, that fit into one word.
std::size_t fitting(std::string_view text, bool base64, std::size_t word) {
    const std::size_t room = base64 ? (word - kFrame) / 4 * 3 : word - kFrame;
    std::size_t length = 0;
    std::size_t coded = 0;
    while (length < text.size()) {
        const std::size_t character =
            std::max<std::size_t>(core::utf8_sequence(text.substr(length)), 1);
        const std::size_t more = base64 ? character : q_size(text.substr(length, character));
        if (coded + more > room) break;
        coded += more;
        length += character;
    }
    return length;
}

}  // namespace

void append_encoded_words(std::string& out, std::string_view text, std::size_t first) {
    PH_ASSERT(first >= kLeastEncodedWord);
    const bool base64 = (text.size() + 2) / 3 * 4 < q_size(text);
    std::size_t room = first;
    while (!text.empty()) {
        const std::size_t length = fitting(text, base64, room);
        (base64 ? append_b : append_q)(out, text.substr(0, length));
        text.remove_prefix(length);
        if (!text.empty()) out += "\r\n ";
        room = kMaxEncodedWord;
    }
}

std::string extended_parameter(std::string_view name, std::string_view value) {
    std::string coded;
    std::string out;
    std::size_t section = 0;
    const auto flush = [&](bool last) {
        const bool whole = last && section == 0;
        if (section > 0) out += ";\r\n ";
        out += name;
        if (!whole) out += '*' + std::to_string(section);
        out += section == 0 ? "*=UTF-8''" : "*=";
        out += coded;
        coded.clear();
        ++section;
    };
    for (const char c : value) {
        if (coded.size() + 3 > kMaxSection) flush(false);
        if (core::is_alnum(c) || c == '-' || c == '.' || c == '_') {
            coded += c;
        } else {
            append_hex(coded, '%', c);
        }
    }
    flush(true);
    return out;
}

}  // namespace relay
