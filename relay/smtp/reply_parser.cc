#include "relay/smtp/reply_parser.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace relay {

namespace {

// Reads up to three digits; false when there is none.
bool read_number(std::string_view text, std::size_t& at, std::uint16_t& value) {
    const std::size_t start = at;
    value = 0;
    while (at < text.size() && at - start < 3 && core::is_digit(text[at])) {
        value = static_cast<std::uint16_t>(value * 10 + (text[at] - '0'));
        ++at;
    }
    return at > start;
}

bool read_dot(std::string_view text, std::size_t& at) {
    if (at >= text.size() || text[at] != '.') return false;
    ++at;
    return true;
}

}  // namespace

EnhancedCode parse_enhanced_code(std::string_view text, std::size_t* length) {
    if (text.size() < 5 || (text[0] != '2' && text[0] != '4' && text[0] != '5')) return {};
    EnhancedCode code;
    code.klass = static_cast<std::uint8_t>(text[0] - '0');
    std::size_t at = 1;
    if (!read_dot(text, at) || !read_number(text, at, code.subject) || !read_dot(text, at) ||
        !read_number(text, at, code.detail)) {
        return {};
    }
    if (at < text.size() && text[at] != ' ' && text[at] != '\t') return {};
    if (length != nullptr) *length = at;
    return code;
}

ReplyParser::Status ReplyParser::feed(std::string_view& input) {
    while (!input.empty()) {
        const std::size_t end = input.find('\n');
        const std::size_t take = end == std::string_view::npos ? input.size() : end + 1;
        if (line_.size() + take > kMaxReplyLine) return Status::malformed;
        if (end == std::string_view::npos) {
            line_.append(input);
            input = {};
            return Status::need_input;
        }
        Status status;
        if (line_.empty()) {
            status = take_line(input.substr(0, end));
        } else {
            line_.append(input.substr(0, end));
            status = take_line(line_);
            line_.clear();
        }
        input.remove_prefix(take);
        if (status != Status::need_input) return status;
    }
    return Status::need_input;
}

ReplyParser::Status ReplyParser::take_line(std::string_view line) {
    while (line.ends_with('\r'))
        line.remove_suffix(1);
    // Some filters put an empty line before their reply. It says nothing, and taking it for a
    // broken reply to the final dot would send the message twice.
    if (line.find_first_not_of(" \t") == std::string_view::npos) {
        return ++blank_lines_ > kMaxBlankLines ? Status::malformed : Status::need_input;
    }
    std::uint16_t code = 0;
    std::size_t at = 0;
    if (!read_number(line, at, code) || at != 3 || code < 200 || code > 599) {
        return Status::malformed;
    }
    const char separator = line.size() > 3 ? line[3] : ' ';
    if (separator != ' ' && separator != '-' && separator != '\t') return Status::malformed;
    if (!take_code(code) || ++lines_ > kMaxReplyLines) return Status::malformed;
    take_text(line.substr(std::min<std::size_t>(4, line.size())));
    if (separator == '-') return Status::need_input;
    lines_ = blank_lines_ = 0;
    return Status::complete;
}

bool ReplyParser::take_code(std::uint16_t code) {
    if (lines_ == 0) {
        reply_.enhanced = {};
        reply_.text.clear();
        if (expects_keywords_) keywords_ = {};
    } else if (code / 100 != reply_.code / 100) {
        return false;
    } else if (code != reply_.code) {
        reply_.enhanced = {};  // that of the line whose code counts
    }
    reply_.code = code;
    return true;
}

void ReplyParser::take_text(std::string_view text) {
    if (expects_keywords_ && lines_ > 1) keywords_.read_line(text);
    std::size_t length = 0;
    const EnhancedCode enhanced = parse_enhanced_code(text, &length);
    if (enhanced.klass != 0) {
        if (reply_.enhanced.klass == 0) reply_.enhanced = enhanced;
        text.remove_prefix(std::min(length + 1, text.size()));
    }
    if (lines_ > 1 && reply_.text.size() < kMaxReplyRead) reply_.text.push_back('\n');
    reply_.text.append(text.substr(0, kMaxReplyRead - reply_.text.size()));
}

}  // namespace relay
