#include "relay/message/message_id.h"

#include <array>
#include <cstddef>

namespace relay {

namespace {

constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kLength = 26;  // 130 bits: the first digit holds three, so it is below 8
constexpr std::uint8_t kInvalid = 0xff;

constexpr std::array<std::uint8_t, 256> kValues = [] {
    std::array<std::uint8_t, 256> values{};
    values.fill(kInvalid);
    for (std::size_t i = 0; i < kDigits.size(); ++i) {
        const char digit = kDigits[i];
        values[static_cast<unsigned char>(digit)] = static_cast<std::uint8_t>(i);
        if (digit >= 'A') {
            values[static_cast<unsigned char>(digit + 32)] = static_cast<std::uint8_t>(i);
        }
    }
    return values;
}();

}  // namespace

std::string MessageId::to_string() const {
    std::string text(kLength, '0');
    unsigned __int128 rest = static_cast<unsigned __int128>(high) << 64 | low;
    for (std::size_t i = kLength; i-- > 0; rest >>= 5) {
        text[i] = kDigits[static_cast<std::size_t>(rest & 31)];
    }
    return text;
}

std::optional<MessageId> MessageId::parse(std::string_view text) {
    if (text.size() != kLength || text[0] > '7') return std::nullopt;
    unsigned __int128 value = 0;
    for (const char c : text) {
        const std::uint8_t digit = kValues[static_cast<unsigned char>(c)];
        if (digit == kInvalid) return std::nullopt;
        value = value << 5 | digit;
    }
    return MessageId{static_cast<std::uint64_t>(value >> 64), static_cast<std::uint64_t>(value)};
}

}  // namespace relay
