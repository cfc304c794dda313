#include "relay/message/verp.h"

#include <algorithm>
#include <cstdint>

#include "core/base/ascii.h"

namespace relay {
namespace {

constexpr std::size_t kMaxLocalPart = 64;
constexpr std::size_t kDigits = 16;

bool is_plain(std::string_view local) {
    return !local.empty() && std::ranges::all_of(local, [](char c) {
        return core::is_alnum(c) || std::string_view("!#$%&'*+-/=?^_`{|}~.").contains(c);
    });
}

std::string token_of(std::string_view recipient) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : recipient) {
        hash ^= static_cast<unsigned char>(core::ascii_lower(c));
        hash *= 0x100000001b3U;
    }
    std::string digits;
    for (std::size_t i = kDigits; i-- > 0;)
        digits += "0123456789abcdef"[hash >> (4 * i) & 15];
    return digits;
}

}  // namespace

std::string verp_sender(std::string_view sender, std::string_view recipient) {
    const std::size_t at = sender.rfind('@');
    const std::size_t whose = recipient.rfind('@');
    if (at == std::string_view::npos || whose == std::string_view::npos) {
        return std::string(sender);
    }
    const std::string_view local = sender.substr(0, at);
    const std::string_view reader = recipient.substr(0, whose);
    const std::string_view domain = recipient.substr(whose + 1);
    if (!is_plain(local) || local.size() + 1 + kDigits > kMaxLocalPart) return std::string(sender);
    std::string varied(local);
    const bool fits = local.size() + 2 + reader.size() + domain.size() <= kMaxLocalPart;
    if (fits && is_plain(reader) && is_plain(domain)) {
        varied.append("+").append(reader).append("=").append(domain);
    } else {
        varied.append("+").append(token_of(recipient));
    }
    return varied.append(sender.substr(at));
}

}  // namespace relay
