#include "relay/events/json_text.h"

#include <array>
#include <chrono>

namespace relay {
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

void append_digits(std::string& out, unsigned value, unsigned width) {
    std::array<char, 10> digits;
    for (unsigned i = width; i-- > 0; value /= 10)
        digits[i] = static_cast<char>('0' + value % 10);
    out.append(digits.data(), width);
}

}  // namespace

std::size_t utf8_sequence(std::string_view text) {
    const auto octet = [&](std::size_t i) -> unsigned {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto continues = [&](std::size_t i) { return (octet(i) & 0xc0U) == 0x80U; };
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

void append_rfc3339_string(std::string& out, core::WallTime time) {
    using namespace std::chrono;
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(floor<microseconds>(time - day));
    out += '"';
    append_digits(out, static_cast<unsigned>(int{date.year()}), 4);
    out += '-';
    append_digits(out, unsigned{date.month()}, 2);
    out += '-';
    append_digits(out, unsigned{date.day()}, 2);
    out += 'T';
    append_digits(out, static_cast<unsigned>(clock.hours().count()), 2);
    out += ':';
    append_digits(out, static_cast<unsigned>(clock.minutes().count()), 2);
    out += ':';
    append_digits(out, static_cast<unsigned>(clock.seconds().count()), 2);
    out += '.';
    append_digits(out, static_cast<unsigned>(clock.subseconds().count()), 6);
    out += "Z\"";
}

}  // namespace relay
