#include "relay/mime/encoded_header.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/blanks.h"
#include "core/base/utf8.h"
#include "relay/mime/encoded_words.h"

namespace relay {

namespace {

constexpr std::size_t kMaxLineOctets = 76;

bool is_high(char c) {
    return static_cast<unsigned char>(c) >= 0x80;
}
bool has_high(std::string_view text) {
    return std::ranges::any_of(text, is_high);
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = core::utf8_sequence(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

enum class Kind : std::uint8_t { unstructured, phrases, parameters, left_alone };

Kind kind_of(std::string_view name) {
    const auto is_one_of = [name](const auto& names) {
        return std::ranges::any_of(
            names, [name](std::string_view one) { return core::equals_ignoring_case(name, one); });
    };
    constexpr std::array<std::string_view, 18> kPhrases = {"From",
                                                           "Sender",
                                                           "Reply-To",
                                                           "To",
                                                           "Cc",
                                                           "Bcc",
                                                           "Resent-From",
                                                           "Resent-To",
                                                           "Resent-Cc",
                                                           "Resent-Bcc",
                                                           "Resent-Sender",
                                                           "Resent-Reply-To",
                                                           "List-Id",
                                                           "Keywords",
                                                           "Mail-Followup-To",
                                                           "Mail-Reply-To",
                                                           "Errors-To",
                                                           "Disposition-Notification-To"};
    constexpr std::array<std::string_view, 2> kParameters = {"Content-Type", "Content-Disposition"};
    constexpr std::array<std::string_view, 24> kStructured = {"Date",
                                                              "Message-ID",
                                                              "In-Reply-To",
                                                              "References",
                                                              "Received",
                                                              "Return-Path",
                                                              "Resent-Date",
                                                              "Resent-Message-ID",
                                                              "MIME-Version",
                                                              "Content-ID",
                                                              "Content-Transfer-Encoding",
                                                              "DKIM-Signature",
                                                              "List-Unsubscribe",
                                                              "List-Unsubscribe-Post",
                                                              "List-Help",
                                                              "List-Post",
                                                              "List-Subscribe",
                                                              "List-Owner",
                                                              "List-Archive",
                                                              "Authentication-Results",
                                                              "Received-SPF",
                                                              "Auto-Submitted",
                                                              "Content-Language",
                                                              "TLS-Required"};
    if (is_one_of(kPhrases)) return Kind::phrases;
    if (is_one_of(kParameters)) return Kind::parameters;
    if (is_one_of(kStructured) || core::starts_with_ignoring_case(name, "ARC-")) {
        return Kind::left_alone;
    }
    return Kind::unstructured;
}

// Without the line ends of folding (RFC 5322 section 2.2.3).
std::string unfolded(std::string_view value) {
    std::string text;
    std::ranges::copy_if(value, std::back_inserter(text),
                         [](char c) { return c != '\r' && c != '\n'; });
    return text;
}

// Collects a field's new value; breaks lines before words that do not fit.
class Folder {
  public:
    explicit Folder(std::string& out) : out_(out) {}

    // A word with the blanks before it.
    void add(std::string_view blanks, std::string_view word) {
        const bool full = column() + blanks.size() + word.size() > kMaxLineOctets;
        if (full && !blanks.empty()) {
            out_ += "\r\n";
            out_ += blanks;
        } else {
            out_ += blanks;
        }
        out_ += word;
    }
    // Text as encoded words; the first begins a line of its own when it does not fit.
    void encode(std::string_view blanks, std::string_view text) {
        const std::size_t used = column() + blanks.size();
        const bool full = used + kLeastEncodedWord > kMaxLineOctets;
        if (full && !blanks.empty()) out_ += "\r\n";
        out_ += blanks;
        append_encoded_words(
            out_, text, full ? kMaxEncodedWord : std::min(kMaxLineOctets - used, kMaxEncodedWord));
    }

  private:
    std::size_t column() const {
        const std::size_t line = out_.rfind('\n');
        return line == std::string::npos ? out_.size() : out_.size() - line - 1;
    }
    std::string& out_;
};

bool is_encoded_word(std::string_view word) {
    return word.starts_with("=?") && word.ends_with("?=") && word.size() > 4;
}

std::string_view take_while(std::string_view& text, bool blank) {
    const auto end =
        std::ranges::find_if(text, [blank](char c) { return core::is_blank(c) != blank; });
    const std::string_view taken(text.begin(), end);
    text.remove_prefix(taken.size());
    return taken;
}

// Words with octets above 127 that follow each other are encoded together, with the blanks between
// them: a reader drops those between two encoded words (RFC 2047 section 6.2). For the same reason
// the blank between such a word and an encoded word that was there is encoded too.
void encode_text(std::string_view text, Folder& folder) {
    bool after_encoded = false;
    while (!text.empty()) {
        const std::string_view blanks = take_while(text, true);
        const std::string_view word = take_while(text, false);
        if (!has_high(word)) {
            folder.add(blanks, word);
            if (!word.empty()) after_encoded = is_encoded_word(word);
            continue;
        }
        std::string run(after_encoded ? blanks : std::string_view{});
        run += word;
        for (;;) {
            std::string_view rest = text;
            const std::string_view between = take_while(rest, true);
            const std::string_view next = take_while(rest, false);
            if (next.empty() || (!has_high(next) && !is_encoded_word(next))) break;
            run += between;
            if (!has_high(next)) break;  // its blanks are ours now, the word itself follows
            run += next;
            text = rest;
        }
        folder.encode(blanks.empty() && after_encoded ? " " : blanks, run);
        after_encoded = true;
    }
}

// The end of what begins with a quote or a parenthesis; npos: it does not end.
std::size_t end_of_quoted(std::string_view text) {
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == '"') {
            return i + 1;
        }
    }
    return std::string_view::npos;
}

std::size_t end_of_comment(std::string_view text) {
    std::size_t depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == '(') {
            ++depth;
        } else if (text[i] == ')' && --depth == 0) {
            return i + 1;
        }
    }
    return std::string_view::npos;
}

std::string unquoted(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') continue;
        if (text[i] == '\\' && i + 1 < text.size()) ++i;
        plain += text[i];
    }
    return plain;
}

// Writes a field of addresses piece by piece: phrases, comments, addresses in brackets, separators.
// False: the field is not what RFC 5322 says, so it is left alone.
class PhraseWriter {
  public:
    explicit PhraseWriter(std::string& out) : folder_(out) {}

    bool write(std::string_view text) {
        while (!text.empty()) {
            const char c = text.front();
            std::size_t length = 1;
            if (c == '"') {
                length = end_of_quoted(text);
            } else if (c == '(') {
                length = end_of_comment(text);
            } else if (c == '<') {
                length = text.find('>');
                if (length != std::string_view::npos) ++length;
            }
            if (length == std::string_view::npos) return false;
            const std::string_view piece = text.substr(0, length);
            text.remove_prefix(length);
            take(c, piece);
        }
        flush_phrase(has_at_);
        return true;
    }

  private:
    void take(char c, std::string_view piece) {
        if (c == '(') {
            flush_phrase(has_at_);
            write_comment(piece);
        } else if (c == '<') {
            flush_phrase(false);
            folder_.add(std::exchange(blanks_, {}), piece);
        } else if (c == ',' || c == ';' || c == ':') {
            flush_phrase(has_at_);
            folder_.add(std::exchange(blanks_, {}), piece);
        } else if (core::is_blank(c) && phrase_.empty()) {
            blanks_ += c;
        } else {
            has_at_ = has_at_ || c == '@';
            phrase_ += piece;
        }
    }

    // raw: it is an address, not a name.
    void flush_phrase(bool raw) {
        std::string_view text = phrase_;
        std::string after;
        while (!text.empty() && core::is_blank(text.back())) {
            after += text.back();
            text.remove_suffix(1);
        }
        if (!text.empty() && (raw || !has_high(text))) {
            folder_.add(blanks_, text);
        } else if (text.contains("=?") && !text.contains('"')) {
            encode_text(blanks_ + std::string(text), folder_);
        } else if (!text.empty()) {
            folder_.encode(blanks_, unquoted(text));
        }
        if (!text.empty()) blanks_ = after;
        phrase_.clear();
        has_at_ = false;
    }

    void write_comment(std::string_view comment) {
        if (!has_high(comment)) return folder_.add(std::exchange(blanks_, {}), comment);
        folder_.add(std::exchange(blanks_, {}), "(");
        folder_.encode("", unescaped(comment.substr(1, comment.size() - 2)));
        folder_.add("", ")");
    }
    static std::string unescaped(std::string_view text) {
        std::string plain;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '\\' && i + 1 < text.size()) ++i;
            plain += text[i];
        }
        return plain;
    }

    Folder folder_;
    std::string blanks_;
    std::string phrase_;
    bool has_at_ = false;  // outside quotes
};

bool encode_parameters(std::string_view text, std::string& out) {
    Folder folder(out);
    bool first = true;
    while (!text.empty()) {
        std::size_t end = 0;
        while (end < text.size() && text[end] != ';') {
            const std::size_t length = text[end] == '"' ? end_of_quoted(text.substr(end)) : 1;
            if (length == std::string_view::npos) return false;
            end += length;
        }
        const std::string_view whole = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::string_view parameter = core::trim(whole);
        const std::size_t equals = parameter.find('=');
        std::string written(parameter);
        if (has_high(parameter)) {
            if (first || equals == std::string_view::npos) return false;
            const std::string_view name = core::trim(parameter.substr(0, equals));
            if (has_high(name) || name.contains('*')) return false;
            written = extended_parameter(name, unquoted(core::trim(parameter.substr(equals + 1))));
        }
        if (!first) out += ';';
        if (!written.empty()) folder.add(" ", written);
        first = false;
    }
    return true;
}

std::optional<std::string> encoded_field(std::string_view name, std::string_view value) {
    const std::string text = unfolded(value);
    if (!is_utf8(text)) return std::nullopt;
    std::string out(name);
    out += ':';
    switch (kind_of(core::trim(name))) {
        case Kind::left_alone:
            return std::nullopt;
        case Kind::unstructured: {
            Folder folder(out);
            encode_text(text, folder);
            break;
        }
        case Kind::phrases:
            if (!PhraseWriter(out).write(text)) return std::nullopt;
            break;
        case Kind::parameters:
            if (!encode_parameters(text, out)) return std::nullopt;
            break;
    }
    return out + "\r\n";
}

// The first field of the text with the lines that continue it.
std::string_view take_field(std::string_view& text) {
    std::size_t end = 0;
    do {
        const std::size_t found = text.find('\n', end);
        end = found == std::string_view::npos ? text.size() : found + 1;
    } while (end < text.size() && core::is_blank(text[end]));
    const std::string_view field = text.substr(0, end);
    text.remove_prefix(end);
    return field;
}

}  // namespace

std::string encode_header(std::string_view head) {
    std::string out;
    out.reserve(head.size() + head.size() / 2);
    while (!head.empty()) {
        const std::string_view field = take_field(head);
        const std::size_t colon = field.find(':');
        const bool plain =
            colon == std::string_view::npos || has_high(field.substr(0, colon)) || !has_high(field);
        const auto encoded =
            plain ? std::nullopt : encoded_field(field.substr(0, colon), field.substr(colon + 1));
        out += encoded ? std::string_view(*encoded) : field;
    }
    return out;
}

bool is_signed_header(std::string_view head) {
    while (!head.empty()) {
        const std::string_view field = take_field(head);
        const std::string_view name = core::trim(field.substr(0, field.find(':')));
        if (core::equals_ignoring_case(name, "DKIM-Signature") ||
            core::equals_ignoring_case(name, "ARC-Message-Signature")) {
            return true;
        }
    }
    return false;
}

}  // namespace relay
