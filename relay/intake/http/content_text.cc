#include "relay/intake/http/content_text.h"

#include <cstring>

#include <spdlog/fmt/fmt.h>

#include "relay/message/content_limits.h"

namespace relay {

bool has_octets_above_127(std::string_view text) {
    std::uint64_t all = 0;
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, text.data() + at, 8);
        all |= eight;
    }
    for (; at < text.size(); ++at)
        all |= static_cast<unsigned char>(text[at]);
    return (all & 0x8080808080808080U) != 0;
}

// The line at hand, without its end.
std::optional<std::string> ContentText::check(std::string_view line) {
    ++number_;
    if (line.contains('\r')) {
        return fmt::format("line {} of the content has a CR that is not followed by LF", number_);
    }
    if (line.size() > kMaxContentLine) {
        return fmt::format(
            "line {} of the content has {} octets or more; at most {} are allowed (RFC 5322 "
            "section 2.1.1): encode the body as quoted-printable or base64",
            number_, line.size(), kMaxContentLine);
    }
    scan(line);
    return std::nullopt;
}

void ContentText::scan(std::string_view line) {
    if (scan_.ended()) return;
    scan_.feed(line);
    scan_.feed("\r\n");
}

std::optional<std::string> ContentText::feed(std::string_view text) {
    if (text.contains('\0')) return "the content has a NUL octet";
    eight_bit_ = eight_bit_ || has_octets_above_127(text);
    if (!partial_.empty()) {
        if (auto fault = take_partial(text)) return fault;
    }
    std::optional<std::string> fault;
    text.remove_prefix(take_lines(text, fault));
    if (fault) return fault;
    return keep_partial(text);
}

// Completes the line that the pieces before began.
std::optional<std::string> ContentText::take_partial(std::string_view& text) {
    const std::size_t end = text.find('\n');
    const bool whole = end != std::string_view::npos;
    if (auto fault = keep_partial(text.substr(0, end))) return fault;
    text.remove_prefix(whole ? end + 1 : text.size());
    if (!whole) return std::nullopt;
    if (partial_.ends_with('\r')) partial_.pop_back();
    if (auto fault = check(partial_)) return fault;
    if (partial_.starts_with('.')) content_.mark_leading_dot();
    content_.append(partial_);
    content_.append("\r\n");
    partial_.clear();
    return std::nullopt;
}

std::optional<std::string> ContentText::keep_partial(std::string_view text) {
    partial_ += text.substr(0, kMaxContentLine + 2 - partial_.size());
    const bool ends_in_cr = partial_.ends_with('\r');
    if (partial_.size() - (ends_in_cr ? 1 : 0) <= kMaxContentLine) return std::nullopt;
    return check(partial_);
}

// Whole lines, in runs that are appended at once; answers how many octets they are.
std::size_t ContentText::take_lines(std::string_view text, std::optional<std::string>& fault) {
    std::size_t run = 0;  // where the octets begin that are not appended yet
    std::size_t begin = 0;
    for (;;) {
        const std::size_t found = text.find('\n', begin);
        if (found == std::string_view::npos) break;
        const bool crlf = found > begin && text[found - 1] == '\r';
        const std::size_t end = crlf ? found - 1 : found;
        fault = check(text.substr(begin, end - begin));
        if (fault) return text.size();
        if (text[begin] == '.') {
            content_.append(text.substr(run, begin - run));
            run = begin;
            content_.mark_leading_dot();
        }
        begin = found + 1;
        if (!crlf) {
            content_.append(text.substr(run, end - run));
            content_.append("\r\n");
            run = begin;
        }
    }
    content_.append(text.substr(run, begin - run));
    return begin;
}

std::optional<std::string> ContentText::finish() {
    if (!partial_.empty()) {
        if (auto fault = check(partial_)) return fault;
        if (partial_.starts_with('.')) content_.mark_leading_dot();
        content_.append(partial_);
        partial_.clear();
    }
    switch (scan_.beginning()) {
        case HeaderScan::Beginning::field:
            break;
        case HeaderScan::Beginning::byte_order_mark:
            return "the content begins with a byte order mark (U+FEFF): leave it out";
        case HeaderScan::Beginning::mbox_line:
            return "the content begins with the \"From \" line of a mailbox file: leave it out";
        case HeaderScan::Beginning::nothing:
        case HeaderScan::Beginning::other:
            return "the content has no header section: it begins with header fields (From, To, "
                   "Subject …), an empty line and the body follow";
    }
    if (scan_.received_fields() >= kMaxReceivedFields) {
        return fmt::format("the message was received {} times: a loop (RFC 5321 section 6.3)",
                           scan_.received_fields());
    }
    return std::nullopt;
}

}  // namespace relay
