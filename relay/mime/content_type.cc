#include "relay/mime/content_type.h"

#include <algorithm>
#include <utility>

#include "core/base/ascii.h"

namespace relay {

namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// token of RFC 2045 section 5.1.
bool is_token_octet(char c) {
    return c > 32 && c < 127 &&
           std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= 32 && c < 127; });
}

class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}

    // White space and comments, which nest (RFC 5322 section 3.2.2).
    void skip_blanks() {
        std::size_t depth = 0;
        for (; !text_.empty(); text_.remove_prefix(1)) {
            const char c = text_.front();
            if (c == '(') {
                ++depth;
            } else if (c == ')' && depth > 0) {
                --depth;
            } else if (c == '\\' && depth > 0 && text_.size() > 1) {
                text_.remove_prefix(1);
            } else if (depth == 0 && !is_space(c)) {
                return;
            }
        }
    }
    bool done() const { return text_.empty(); }
    bool take(char expected) {
        if (text_.empty() || text_.front() != expected) return false;
        text_.remove_prefix(1);
        skip_blanks();
        return true;
    }
    std::string token() {
        const auto end = std::ranges::find_if_not(text_, is_token_octet);
        const std::string found(text_.begin(), end);
        text_.remove_prefix(found.size());
        skip_blanks();
        return found;
    }
    // A token or a quoted string; no value: neither.
    std::optional<std::string> word() {
        if (text_.empty() || text_.front() != '"') {
            std::string found = token();
            if (found.empty()) return std::nullopt;
            return found;
        }
        std::string found;
        for (std::size_t i = 1; i < text_.size(); ++i) {
            if (text_[i] == '"') {
                text_.remove_prefix(i + 1);
                skip_blanks();
                return found;
            }
            if (text_[i] == '\\' && i + 1 < text_.size()) ++i;
            if (text_[i] != '\r' && text_[i] != '\n') found += text_[i];
        }
        return std::nullopt;
    }

  private:
    std::string_view text_;
};

bool usable(std::string_view boundary) {
    return !boundary.empty() && boundary.size() <= kMaxBoundary && boundary.back() != ' ' &&
           is_printable(boundary);
}

}  // namespace

std::optional<ContentType> parse_content_type(std::string_view value) {
    Reader reader(value);
    reader.skip_blanks();
    ContentType found;
    found.type = core::to_lower(reader.token());
    if (found.type.empty() || !reader.take('/')) return std::nullopt;
    found.subtype = core::to_lower(reader.token());
    if (found.subtype.empty()) return std::nullopt;
    bool again = false;
    while (reader.take(';')) {
        const std::string name = core::to_lower(reader.token());
        if (name.empty()) continue;  // "text/plain;" is common
        if (!reader.take('=')) return std::nullopt;
        auto parameter = reader.word();
        if (!parameter) return std::nullopt;
        const bool boundary = name == "boundary";
        // RFC 2231 in a boundary, or two of them: readers do not agree.
        if (name.starts_with("boundary*") || (boundary && std::exchange(again, true))) {
            return std::nullopt;
        }
        if (boundary && usable(*parameter)) found.boundary = std::move(*parameter);
    }
    if (!reader.done()) return std::nullopt;
    return found;
}

TransferEncoding parse_transfer_encoding(std::string_view value) {
    Reader reader(value);
    reader.skip_blanks();
    const std::string name = core::to_lower(reader.token());
    if (!reader.done()) return TransferEncoding::unknown;
    if (name == "7bit") return TransferEncoding::seven_bit;
    if (name == "8bit" || name == "binary") return TransferEncoding::eight_bit;
    if (name == "quoted-printable") return TransferEncoding::quoted_printable;
    if (name == "base64") return TransferEncoding::base64;
    return TransferEncoding::unknown;
}

}  // namespace relay
