#include "relay/smtp/login_secrets.h"

#include <algorithm>

#include "core/base/ascii.h"
#include "relay/smtp/base64.h"

namespace relay {

namespace {

constexpr std::string_view kHidden = "***";
constexpr std::size_t kLeastCore = 4;

bool is_base64(char c) {
    return core::is_alnum(c) || c == '+' || c == '/' || c == '=' || c == '-' || c == '_';
}

// The whole run of such octets around the place; says where to go on.
std::size_t hide_run(std::string& text, std::size_t at) {
    std::size_t begin = at;
    std::size_t end = at;
    while (begin > 0 && is_base64(text[begin - 1]))
        --begin;
    while (end < text.size() && is_base64(text[end]))
        ++end;
    text.replace(begin, end - begin, kHidden);
    return begin + kHidden.size();
}

void hide_word(std::string& text, std::string_view word, bool any_case) {
    if (word.empty() || text.size() < word.size()) return;
    const auto same = [any_case](char a, char b) {
        return any_case ? core::ascii_lower(a) == core::ascii_lower(b) : a == b;
    };
    for (std::size_t at = 0; at < text.size();) {
        const auto from = text.begin() + static_cast<std::ptrdiff_t>(at);
        const auto found = std::search(from, text.end(), word.begin(), word.end(), same);
        if (found == text.end()) return;
        at = static_cast<std::size_t>(found - text.begin());
        text.replace(at, word.size(), kHidden);
        at += kHidden.size();
    }
}

std::string hexadecimal(std::string_view octets) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const char c : octets) {
        text += kDigits[static_cast<unsigned char>(c) >> 4U];
        text += kDigits[static_cast<unsigned char>(c) & 15U];
    }
    return text;
}

}  // namespace

void LoginSecrets::add(const Login& login) {
    password_ = login.password;
    hexadecimal_ = hexadecimal(password_);
    cores_.clear();
    for (std::size_t before = 0; before < 3; ++before) {
        const std::string text = to_base64(std::string(before, '\0') + password_);
        const std::size_t first = (before * 8 + 5) / 6;  // the first digit that is only its own
        const std::size_t end = (before + password_.size()) * 8 / 6;
        if (end < first + kLeastCore) continue;
        cores_.push_back(core::to_lower(std::string_view(text).substr(first, end - first)));
    }
}

void LoginSecrets::add_line(std::string_view line) {
    const std::string_view argument = line.substr(line.rfind(' ') + 1);  // npos + 1: all of it
    const bool names_mechanism = line.starts_with("AUTH ") && line.find(' ', 5) == line.npos;
    if (!names_mechanism && argument.size() >= kLeastPiece)
        lines_.push_back(core::to_lower(argument));
}

void LoginSecrets::hide(std::string& text) const {
    const auto piece_at = [&text](std::size_t at, std::size_t length) {
        return core::to_lower(std::string_view(text).substr(at, length));
    };
    for (std::size_t at = 0; at < text.size();) {
        const auto quotes_line = [&](const std::string& line) {
            return at + kLeastPiece <= text.size() && line.contains(piece_at(at, kLeastPiece));
        };
        const auto quotes_core = [&](const std::string& core) {
            return core.starts_with(core::ascii_lower(text[at])) &&
                   piece_at(at, core.size()) == core;
        };
        const bool found = is_base64(text[at]) && (std::ranges::any_of(lines_, quotes_line) ||
                                                   std::ranges::any_of(cores_, quotes_core));
        at = found ? hide_run(text, at) : at + 1;
    }
    hide_word(text, password_, password_.size() >= kLeastAnyCase);
    if (password_.size() >= kLeastAnyCase) hide_word(text, hexadecimal_, true);
}

}  // namespace relay
