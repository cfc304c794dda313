#include "relay/inject/content_text.h"

#include <cstdint>
#include <cstring>

#include <spdlog/fmt/fmt.h>

#include "relay/message/header_scan.h"

namespace relay {

namespace {

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

}  // namespace

std::expected<ContentFacts, std::string> append_text(Content& content, std::string_view text) {
    if (text.find('\0') != std::string_view::npos) {
        return std::unexpected("the content has a NUL octet");
    }
    ContentFacts facts;
    facts.eight_bit = has_octets_above_127(text);
    HeaderScan scan;
    std::size_t number = 0;
    std::size_t run = 0;  // where the octets begin that are not appended yet
    for (std::size_t begin = 0; begin < text.size();) {
        ++number;
        const std::size_t found = text.find('\n', begin);
        const bool last = found == std::string_view::npos;
        std::size_t end = last ? text.size() : found;
        const bool crlf = !last && end > begin && text[end - 1] == '\r';
        if (crlf) --end;
        const std::string_view line = text.substr(begin, end - begin);
        if (line.find('\r') != std::string_view::npos) {
            return std::unexpected(
                fmt::format("line {} of the content has a CR that is not followed by LF", number));
        }
        if (line.size() > kMaxLine) {
            return std::unexpected(fmt::format(
                "line {} of the content has {} octets; at most {} are allowed (RFC 5322 section "
                "2.1.1): encode the body as quoted-printable or base64",
                number, line.size(), kMaxLine));
        }
        if (line.starts_with('.')) {
            content.append(text.substr(run, begin - run));
            run = begin;
            content.mark_leading_dot();
        }
        if (!scan.ended()) {
            scan.feed(line);
            scan.feed("\r\n");
        }
        begin = last ? text.size() : found + 1;
        if (!crlf) {
            content.append(text.substr(run, end - run));
            content.append("\r\n");
            run = begin;
        }
    }
    content.append(text.substr(run));
    facts.utf8_header = scan.has_utf8();
    facts.tls_waived = scan.tls_waived();
    facts.received_fields = scan.received_fields();
    return facts;
}

}  // namespace relay
