#include "relay/smtp/downgrade.h"

#include <array>
#include <charconv>

#include "core/base/utf8.h"
#include "relay/message/idna.h"

namespace relay {

namespace {

// Of a valid sequence.
unsigned code_point(std::string_view sequence) {
    constexpr std::array<unsigned, 5> kFirstBits = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned value = static_cast<unsigned char>(sequence[0]) & kFirstBits[sequence.size()];
    for (const char c : sequence.substr(1))
        value = value << 6 | (static_cast<unsigned char>(c) & 0x3fU);
    return value;
}

}  // namespace

std::optional<std::string> ascii_mailbox(std::string_view mailbox) {
    if (!has_utf8(mailbox)) return std::string(mailbox);
    const auto at = mailbox.rfind('@');
    if (at == std::string_view::npos || has_utf8(mailbox.substr(0, at))) return std::nullopt;
    const auto domain = to_a_labels(mailbox.substr(at + 1));
    if (!domain) return std::nullopt;
    return std::string(mailbox.substr(0, at + 1)) + *domain;
}

std::string ascii_original(std::string_view original) {
    std::string text;
    while (!original.empty()) {
        const std::size_t length = core::utf8_sequence(original);
        if (length <= 1) {
            text += length == 1 ? original.front() : '?';
            original.remove_prefix(1);
            continue;
        }
        std::array<char, 8> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                       code_point(original.substr(0, length)), 16)
                             .ptr;
        text += "\\x{";
        for (const char* digit = digits.data(); digit != end; ++digit)
            text += *digit >= 'a' ? static_cast<char>(*digit - 32) : *digit;
        text += '}';
        original.remove_prefix(length);
    }
    return text;
}

}  // namespace relay
