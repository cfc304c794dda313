// Any octets as the body of POST /api/inject/v1: a problem or a request, the same however the body
// is cut, and a request's content is a refusal or text that every receiver reads as the same lines:
// each ends in CRLF, none has another CR or LF, a NUL, or more than 998 octets; stuffing doubles
// exactly the dots that begin a line. The first octet seeds the cuts.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/assert.h"
#include "core/base/prng.h"
#include "relay/intake/http/content_text.h"
#include "relay/intake/http/inject_request.h"
#include "relay/message/content_cursor.h"
#include "relay/message/content_limits.h"

namespace {

std::string gathered(const relay::Content& content) {
    return relay::stuffed_text(content);
}

// The next piece; all of the text without a seed.
std::string_view cut(std::string_view& text, core::Prng* cuts) {
    const std::size_t length =
        cuts == nullptr ? text.size()
                        : std::min<std::size_t>(text.size(), 1 + cuts->below(cuts->below(40) + 1));
    const std::string_view piece = text.substr(0, length);
    text.remove_prefix(length);
    return piece;
}

struct Written {
    bool refused = false;
    std::string content;
    bool operator==(const Written&) const = default;
};

Written written(std::string_view text, core::Prng* cuts) {
    relay::Content content;
    content.append("Received: x\r\n");
    relay::ContentText writer(content);
    while (!text.empty()) {
        if (writer.feed(cut(text, cuts))) return {true, {}};
    }
    if (writer.finish()) return {true, {}};
    content.seal();
    std::string stuffed;
    const std::string whole = content.to_string();
    for (std::size_t i = 0; i < whole.size(); ++i) {
        if (whole[i] == '.' && whole[i - 1] == '\n') stuffed += '.';
        stuffed += whole[i];
    }
    PH_ASSERT(gathered(content) == stuffed);
    return {false, whole};
}

void check_content(std::string_view text, core::Prng* cuts) {
    const Written found = written(text, nullptr);
    PH_ASSERT(found == written(text, cuts));
    if (found.refused) return;
    std::string expected = "Received: x\r\n";
    for (const char c : text) {
        if (c == '\r') continue;  // each belongs to a CRLF, or it had been refused
        if (c == '\n') expected += '\r';
        expected += c;
    }
    if (!expected.ends_with("\r\n")) expected += "\r\n";
    PH_ASSERT(found.content == expected);
    std::string_view rest = expected;
    while (!rest.empty()) {
        const std::size_t end = rest.find("\r\n");
        const std::string_view line = rest.substr(0, end);
        PH_ASSERT(line.size() <= relay::kMaxContentLine);
        PH_ASSERT(line.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
        rest.remove_prefix(end + 2);
    }
}

struct Read {
    std::optional<relay::InjectProblem> problem;
    std::string sender, content;
    std::vector<std::string> recipients;
};

Read read(std::string_view body, core::Prng* cuts) {
    relay::InjectRequestParser parser({.content = 10'000, .recipients = 20});
    while (!body.empty()) {
        if (auto problem = parser.feed(cut(body, cuts))) return {std::move(problem), {}, {}, {}};
    }
    auto request = parser.finish();
    if (!request) return {request.error(), {}, {}, {}};
    Read read{{}, request->sender, request->content.head(10'000), {}};
    while (!request->recipients.done())
        read.recipients.emplace_back(request->recipients.next());
    return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    core::Prng cuts(size > 0 ? data[0] : 0);
    check_content(input, &cuts);

    const Read whole = read(input, nullptr);
    const Read pieces = read(input, &cuts);
    PH_ASSERT(whole.problem.has_value() == pieces.problem.has_value());
    if (whole.problem) {
        PH_ASSERT(whole.problem->status == 400 || whole.problem->status == 413 ||
                  whole.problem->status == 422);
        PH_ASSERT(!whole.problem->message.empty());
        PH_ASSERT(whole.problem->status == pieces.problem->status);
        PH_ASSERT(whole.problem->field == pieces.problem->field);
        return 0;
    }
    PH_ASSERT(whole.sender == pieces.sender && whole.content == pieces.content);
    PH_ASSERT(whole.recipients == pieces.recipients);
    PH_ASSERT(!whole.recipients.empty());
    PH_ASSERT(!whole.content.empty());
    check_content(whole.content, &cuts);
    return 0;
}
