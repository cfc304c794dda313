#include "relay/mime/transfer_encoding.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/base/blanks.h"

namespace relay {

namespace {

constexpr std::size_t kWidth = 76;
constexpr std::size_t kMostBlanks = 900;  // with a line before them, fewer than 998
constexpr std::string_view kHex = "0123456789ABCDEF";
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}
bool is_plain(char c) {
    return (c >= 32 && c < 127 && c != '=') || c == '\t';
}

struct Token {
    std::array<char, 3> text;
    std::size_t size;
    std::string_view view() const { return {text.data(), size}; }
};

Token literal(char c) {
    return {{c, 0, 0}, 1};
}
Token escaped(char c) {
    const auto octet = static_cast<unsigned char>(c);
    return {{'=', kHex[octet >> 4], kHex[octet & 15]}, 3};
}

// What some server or reader would take for something else at the beginning of a line.
bool misleads(std::string_view rest) {
    return rest.starts_with('.') || rest.starts_with("--") || rest.starts_with("From ");
}

}  // namespace

// ---- quoted-printable

void QuotedPrintable::feed(std::string_view octets, std::string& out) {
    while (!octets.empty()) {
        const std::size_t end = octets.find('\n');
        const bool whole = end != std::string_view::npos;
        const std::string_view part = octets.substr(0, whole ? end + 1 : octets.size());
        octets.remove_prefix(part.size());
        if (!whole || !line_.empty()) line_ += part;
        if (!whole) {
            // Not a CR at the end: it may be half of a line end.
            if (line_.size() < kMaxLine || line_.back() == '\r') continue;
            write_line(line_, false, out);
            line_.clear();
            continue;
        }
        std::string_view line = line_.empty() ? part : std::string_view(line_);
        line.remove_suffix(1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        write_line(line, true, out);
        out += "\r\n";
        width_ = 0;
        line_.clear();
    }
}

void QuotedPrintable::finish(std::string& out) {
    if (!line_.empty()) write_line(line_, true, out);
    line_.clear();
}

void QuotedPrintable::write_line(std::string_view line, bool ends, std::string& out) {
    if (mend_) return write_mended(line, ends, out);
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        const bool last = ends && i + 1 == line.size();
        Token token = is_plain(c) && !(core::is_blank(c) && last) ? literal(c) : escaped(c);
        if (width_ + token.size > (last ? kWidth : kWidth - 1)) {
            out += "=\r\n";
            width_ = 0;
        }
        if (width_ == 0 && misleads(line.substr(i))) token = escaped(c);
        put(token.view(), out);
    }
}

void QuotedPrintable::write_mended(std::string_view line, bool ends, std::string& out) {
    // Blanks at the end mean nothing, but some readers keep them: they stay, and stay there.
    const std::size_t text = line.find_last_not_of(" \t") + 1;
    const std::string_view blanks = ends ? line.substr(text).substr(0, kMostBlanks) : "";
    if (ends) line = line.substr(0, text);
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        std::optional<Token> token;
        if (c == '=' && i + 2 < line.size() && is_hex(line[i + 1]) && is_hex(line[i + 2])) {
            token = Token{{'=', line[i + 1], line[i + 2]}, 3};
            i += 2;
        } else if (c == '=' && ends && i + 1 == line.size()) {
            token = literal(c);  // a soft break
        } else {
            token = is_plain(c) ? literal(c) : escaped(c);
        }
        const bool last = ends && i + 1 == line.size();
        if (width_ + token->size > (last ? kWidth : kWidth - 1)) {
            out += "=\r\n";
            width_ = 0;
            if (token->size == 1 && misleads(line.substr(i))) token = escaped(c);
        }
        put(token->view(), out);
    }
    out += blanks;
}

void QuotedPrintable::put(std::string_view token, std::string& out) {
    out += token;
    width_ += token.size();
}

// ---- base64

void Base64::feed(std::string_view octets, std::string& out) {
    while (!octets.empty()) {
        if (held_ == 0 && octets.size() >= kLine) {
            write(octets.substr(0, kLine), out);
            octets.remove_prefix(kLine);
            continue;
        }
        const std::size_t taken = std::min(octets.size(), kLine - held_);
        std::memcpy(line_.data() + held_, octets.data(), taken);
        held_ += taken;
        octets.remove_prefix(taken);
        if (held_ == kLine) finish(out);
    }
}

void Base64::finish(std::string& out) {
    if (held_ > 0) write({line_.data(), held_}, out);
    held_ = 0;
}

void Base64::write(std::string_view octets, std::string& out) {
    if (begun_) out += "\r\n";
    begun_ = true;
    std::array<char, (kLine + 2) / 3 * 4> text{};
    std::size_t length = 0;
    const auto at = [&](std::size_t i) -> std::uint32_t {
        return i < octets.size() ? static_cast<unsigned char>(octets[i]) : 0U;
    };
    for (std::size_t i = 0; i < octets.size(); i += 3) {
        const std::uint32_t group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
        text[length++] = kAlphabet[group >> 18];
        text[length++] = kAlphabet[group >> 12 & 63];
        text[length++] = i + 1 < octets.size() ? kAlphabet[group >> 6 & 63] : '=';
        text[length++] = i + 2 < octets.size() ? kAlphabet[group & 63] : '=';
    }
    out.append(text.data(), length);
}

}  // namespace relay
