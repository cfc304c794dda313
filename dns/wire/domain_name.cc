#include "dns/wire/domain_name.h"

#include <algorithm>

#include <idn2.h>

#include "core/base/ascii.h"
#include "dns/wire/message.h"

namespace dns {
namespace {

std::optional<std::string> to_a_labels(std::string_view text) {
    const std::string terminated(text);
    if (terminated.find('\0') != std::string::npos) return std::nullopt;
    char* converted = nullptr;
    const int result =
        idn2_to_ascii_8z(terminated.c_str(), &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (result != IDN2_OK) return std::nullopt;
    std::string ascii(converted);
    idn2_free(converted);
    return ascii;
}

bool is_number(std::string_view label) {
    return std::ranges::all_of(label, core::is_digit);
}

}  // namespace

bool is_host_name(std::string_view normal) {
    if (normal.empty() || normal == ".") return false;
    const bool plain = std::ranges::all_of(
        normal, [](char c) { return core::is_alnum(c) || c == '-' || c == '_' || c == '.'; });
    if (!plain) return false;
    const auto last_dot = normal.rfind('.');
    return !is_number(last_dot == std::string_view::npos ? normal : normal.substr(last_dot + 1));
}

std::optional<core::IpAddress> address_literal(std::string_view text) {
    if (!text.starts_with('[') || !text.ends_with(']') || text.size() < 3) return std::nullopt;
    text = text.substr(1, text.size() - 2);
    const bool v6 = core::starts_with_ignoring_case(text, "IPv6:");
    if (v6) text.remove_prefix(5);
    const auto address = core::IpAddress::parse(text);
    if (!address || address->is_v6() != v6) return std::nullopt;
    return address->unmapped();
}

std::optional<std::string> mail_domain(std::string_view text) {
    // The text form of a name may be four times its octets; what is longer cannot be one.
    if (text.size() > 4 * kMaxNameOctets) return std::nullopt;
    std::optional<std::string> normal;
    if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) > 127; })) {
        const auto ascii = to_a_labels(text);
        if (ascii) normal = normal_name(*ascii);
    } else {
        normal = normal_name(text);
    }
    if (!normal || !is_host_name(*normal)) return std::nullopt;
    return normal;
}

}  // namespace dns
