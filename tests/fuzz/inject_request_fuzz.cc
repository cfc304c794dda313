// Any octets as the body of POST /api/inject/v1: a problem or a request, and a request's content is
// a refusal or text that every receiver reads as the same lines: each ends in CRLF, none has
// another CR or LF, a NUL, or more than 998 octets; stuffing doubles exactly the dots that begin a
// line.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/assert.h"
#include "relay/inject/content_text.h"
#include "relay/inject/inject_request.h"

namespace {

std::string gathered(const relay::Content& content) {
    std::vector<iovec> parts;
    content.gather_stuffed(parts);
    std::string text;
    for (const iovec& part : parts) {
        text.append(static_cast<const char*>(part.iov_base), part.iov_len);
    }
    return text;
}

void check_content(std::string_view text) {
    relay::Content content;
    content.append("Received: x\r\n");
    if (!relay::append_text(content, text)) return;
    content.seal();
    std::string expected = "Received: x\r\n";
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\r') continue;  // each belongs to a CRLF, or it had been refused
        if (text[i] == '\n') expected += '\r';
        expected += text[i];
    }
    if (!expected.ends_with("\r\n")) expected += "\r\n";
    PH_ASSERT(content.to_string() == expected);

    std::string stuffed;
    std::string_view rest = expected;
    while (!rest.empty()) {
        const std::size_t end = rest.find("\r\n");
        const std::string_view line = rest.substr(0, end);
        PH_ASSERT(line.size() <= relay::kMaxLine);
        PH_ASSERT(line.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
        if (line.starts_with('.')) stuffed += '.';
        stuffed.append(line).append("\r\n");
        rest.remove_prefix(end + 2);
    }
    PH_ASSERT(gathered(content) == stuffed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    check_content(input);

    static relay::InjectRequestParser parser;
    std::string body(input);
    body.reserve(body.size() + relay::InjectRequestParser::kPadding);
    const auto request = parser.parse(body);
    if (!request) {
        PH_ASSERT(request.error().status == 400 || request.error().status == 422);
        PH_ASSERT(!request.error().message.empty());
        return 0;
    }
    PH_ASSERT(!request->recipients.empty());
    PH_ASSERT(!request->content.empty());
    check_content(request->content);
    return 0;
}
