#include "relay/smtp/reply.h"

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
    if (line.ends_with('\r')) line.remove_suffix(1);
    std::uint16_t code = 0;
    std::size_t at = 0;
    if (!read_number(line, at, code) || at != 3 || code < 200 || code > 599) {
        return Status::malformed;
    }
    const char separator = line.size() > 3 ? line[3] : ' ';
    if (separator != ' ' && separator != '-') return Status::malformed;
    if (lines_ == 0) {
        reply_.code = code;
        reply_.enhanced = {};
        reply_.text.clear();
    } else if (code != reply_.code) {
        return Status::malformed;
    }
    if (++lines_ > kMaxReplyLines) return Status::malformed;

    std::string_view text = line.substr(std::min<std::size_t>(4, line.size()));
    std::size_t length = 0;
    const EnhancedCode enhanced = parse_enhanced_code(text, &length);
    if (enhanced.klass != 0) {
        if (reply_.enhanced.klass == 0) reply_.enhanced = enhanced;
        text.remove_prefix(std::min(length + 1, text.size()));
    }
    if (lines_ > 1 && reply_.text.size() < kMaxReplyText) reply_.text.push_back('\n');
    const std::size_t room = kMaxReplyText - std::min(kMaxReplyText, reply_.text.size());
    reply_.text.append(text.substr(0, room));
    if (separator == '-') return Status::need_input;
    lines_ = 0;
    return Status::complete;
}

}  // namespace relay
