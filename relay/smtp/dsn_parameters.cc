#include "relay/smtp/dsn_parameters.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace relay {
namespace {

using Fault = std::optional<std::string_view>;
constexpr Fault kFine = std::nullopt;

int hex_digit(char c) {
    if (core::is_digit(c)) return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

bool is_printable(std::string_view text, bool utf8) {
    return std::ranges::all_of(text, [utf8](char c) {
        const auto octet = static_cast<unsigned char>(c);
        return octet >= 32 && octet != 127 && (utf8 || octet < 127);
    });
}

// "SUCCESS,FAILURE,DELAY" or "NEVER" alone.
std::optional<Notify> parse_notify(std::string_view value) {
    std::uint8_t bits = 0;
    for (;;) {
        const std::size_t comma = std::min(value.find(','), value.size());
        const std::string_view word = value.substr(0, comma);
        std::uint8_t bit = 0;
        if (core::equals_ignoring_case(word, "NEVER")) bit = Notify::kNever;
        if (core::equals_ignoring_case(word, "SUCCESS")) bit = Notify::kSuccess;
        if (core::equals_ignoring_case(word, "FAILURE")) bit = Notify::kFailure;
        if (core::equals_ignoring_case(word, "DELAY")) bit = Notify::kDelay;
        if (bit == 0 || (bits & bit) != 0) return std::nullopt;
        bits = static_cast<std::uint8_t>(bits | bit);
        if (comma == value.size()) break;
        value.remove_prefix(comma + 1);
    }
    if ((bits & Notify::kNever) != 0 && bits != Notify::kNever) return std::nullopt;
    return Notify(bits);
}

bool is_original_recipient(std::string_view value, bool utf8) {
    const std::size_t semicolon = value.find(';');
    if (semicolon == std::string_view::npos || semicolon == 0) return false;
    const std::string_view type = value.substr(0, semicolon);
    const bool sound = std::ranges::all_of(
        type, [](char c) { return core::is_alnum(c) || c == '-' || c == '_' || c == '.'; });
    const bool unicode = utf8 && core::equals_ignoring_case(type, "utf-8");
    const auto address = decode_xtext(value.substr(semicolon + 1), unicode);
    return sound && address && !address->empty() && is_printable(*address, unicode);
}

}  // namespace

std::optional<std::string> decode_xtext(std::string_view text, bool utf8) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto octet = static_cast<unsigned char>(text[i]);
        if (octet == '+') {
            if (i + 2 >= text.size()) return std::nullopt;
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            out.push_back(static_cast<char>(high * 16 + low));
            i += 2;
        } else if (octet >= 33 && octet != '=' && (octet <= 126 || (utf8 && octet > 127))) {
            out.push_back(text[i]);
        } else {
            return std::nullopt;
        }
    }
    return out;
}

std::string encode_xtext(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet >= 33 && octet <= 126 && octet != '+' && octet != '=') {
            out.push_back(c);
        } else {
            out.push_back('+');
            out.push_back(kDigits[octet >> 4]);
            out.push_back(kDigits[octet & 15]);
        }
    }
    return out;
}

bool MailDsnParameters::knows(std::string_view name) {
    return core::equals_ignoring_case(name, "RET") || core::equals_ignoring_case(name, "ENVID");
}

Fault MailDsnParameters::take(std::string_view name, std::string_view value) {
    if (core::equals_ignoring_case(name, "RET")) {
        const bool full = core::equals_ignoring_case(value, "FULL");
        if (ret_ || (!full && !core::equals_ignoring_case(value, "HDRS"))) {
            return "501 5.5.4 RET is FULL or HDRS, once";
        }
        ret_ = true;
        found.content = full ? ReturnContent::full : ReturnContent::headers;
        return kFine;
    }
    const auto decoded = decode_xtext(value);
    if (envid_ || value.empty() || value.size() > kMaxEnvelopeId || !decoded ||
        !is_printable(*decoded, false)) {
        return "501 5.5.4 ENVID takes up to 100 characters of xtext, once";
    }
    envid_ = true;
    found.envelope_id = value;
    return kFine;
}

bool RcptDsnParameters::knows(std::string_view name) {
    return core::equals_ignoring_case(name, "NOTIFY") || core::equals_ignoring_case(name, "ORCPT");
}

Fault RcptDsnParameters::take(std::string_view name, std::string_view value, bool utf8) {
    if (core::equals_ignoring_case(name, "NOTIFY")) {
        const auto notify = parse_notify(value);
        if (notify_ || !notify) {
            return "501 5.5.4 NOTIFY is NEVER, or some of SUCCESS,FAILURE,DELAY, once";
        }
        notify_ = true;
        found.notify = *notify;
        return kFine;
    }
    if (orcpt_ || value.size() > kMaxOriginalRecipient || !is_original_recipient(value, utf8)) {
        return "501 5.5.4 ORCPT is type;address in up to 500 characters of xtext, once";
    }
    orcpt_ = true;
    found.original = value;
    return kFine;
}

}  // namespace relay
