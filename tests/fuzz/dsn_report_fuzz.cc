// Notifications from hostile replies, addresses and originals: the input's lines are the reply, the
// address, ORCPT, ENVID, the server's name, the sender, and the rest is the original. Whatever they
// hold, the result is lines that SMTP takes, without control characters, 7-bit unless it says
// otherwise, and the boundary stands where the parts meet and nowhere else.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/assert.h"
#include "relay/dsn/report.h"

namespace {

std::string_view take_line(std::string_view& input) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    return line;
}

// As content is when it was accepted: CRLF lines of at most 998 octets, no NUL.
std::string canonical(std::string_view text) {
    std::string out;
    std::size_t length = 0;
    for (const char c : text) {
        if (c == '\n' || length == 998) {
            out += "\r\n";
            length = 0;
        }
        if (c == '\n' || c == '\r' || c == '\0') continue;
        out += c;
        ++length;
    }
    return out + "\r\n";
}

// As parse_mailbox() lets it pass: nothing below a blank.
std::string plain(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 256))
        if (static_cast<unsigned char>(c) > 32 && c != 127) out += c;
    return out;
}

void check(const relay::DsnText& text, bool given_back) {
    std::size_t line = 0;
    for (std::size_t i = 0; i < text.content.size(); ++i) {
        const auto octet = static_cast<unsigned char>(text.content[i]);
        PH_ASSERT((octet == '\n') == (i > 0 && text.content[i - 1] == '\r'));
        line = octet == '\n' ? 0 : line + 1;
        PH_ASSERT(line <= 999);
        PH_ASSERT(text.utf8 || octet < 128);
    }
    PH_ASSERT(text.content.ends_with("--\r\n"));
    const std::size_t begin = text.content.find("\r\n boundary=\"") + 13;
    const std::string boundary =
        "\r\n--" + text.content.substr(begin, text.content.find('"', begin) - begin);
    std::size_t count = 0;
    for (std::size_t at = text.content.find(boundary); at != std::string::npos;
         at = text.content.find(boundary, at + 1))
        ++count;
    PH_ASSERT(count == (given_back ? 4U : 3U));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::uint8_t choice = data[0];
    std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    relay::DsnRecipient recipient;
    recipient.action = static_cast<relay::DsnAction>(choice % 3);
    recipient.reply.text = take_line(input);
    std::ranges::replace(recipient.reply.text, '\x02', '\n');
    recipient.address = plain(take_line(input)) + "@x";
    recipient.original = take_line(input);
    relay::DsnReport report;
    report.asked.envelope_id = take_line(input);
    recipient.remote_mta = take_line(input);
    recipient.expired = (choice & 4) != 0;
    recipient.reply.code = 550;
    recipient.reply.enhanced = {5, choice, size % 1000 > 500 ? std::uint16_t{1} : std::uint16_t{0}};
    report.reporting_mta = "mta.example";
    report.id = "01KD0000000000000000000001";
    report.to = plain(take_line(input)) + "@y";
    report.original_id = "01KD0000000000000000000000";
    report.asked.content =
        (choice & 8) != 0 ? relay::ReturnContent::full : relay::ReturnContent::headers;
    const std::string original = canonical(input);
    report.whole = (choice & 16) != 0;
    if ((choice & 32) == 0) report.original = original;
    report.recipients.assign(1 + choice / 128, recipient);
    const relay::DsnText text = relay::write_dsn(report);
    const bool given_back = text.content.contains("Content-Type: text/rfc822-headers\r\n") ||
                            text.content.contains("Content-Type: message/rfc822\r\n") ||
                            text.content.contains("Content-Type: message/global\r\n") ||
                            text.content.contains("Content-Type: message/global-headers\r\n");
    // The input may say the same words, in pieces too; then nobody can tell by them.
    const bool misleading =
        std::string_view(reinterpret_cast<const char*>(data), size).contains("ontent-");
    if (!misleading) check(text, given_back);
    return 0;
}
