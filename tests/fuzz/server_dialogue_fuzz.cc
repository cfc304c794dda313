// Fuzzes the receiving dialogue with everything a client can send. Oracles: the replies, the
// messages and the refusals do not depend on how the input was cut; what is taken holds no bare CR,
// no bare LF and no NUL, ends in CRLF, and when sent on by DATA, a receiver that is lenient about
// line ends sees the end of data once, at the end (RFC 5321 section 4.1.1.4). The first octet
// chooses the options, the second seeds the cuts.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/assert.h"
#include "core/base/prng.h"
#include "relay/smtp/dsn_parameters.h"
#include "tests/unit/smtp/dialogue_driver.h"

namespace {

using relay_test::DialogueDriver;

struct Outcome {
    std::string replies;
    std::vector<relay_test::TakenMessage> messages;
    std::vector<std::string> refusals;
    bool closed = false;
    bool operator==(const Outcome&) const = default;
};

Outcome play(std::string_view input, std::uint8_t options, core::Prng* cuts) {
    DialogueDriver driver({.hostname = "mx.example",
                           .max_message_size = (options & 2) != 0 ? 50U : 5000U,
                           .max_recipients = 3,
                           .bare_endings = (options & 1) != 0 ? relay::BareEndings::normalize
                                                              : relay::BareEndings::reject},
                          (options & 4) == 0);
    if ((options & 8) != 0) driver.refuse_content = "452 4.3.1 Full";
    if ((options & 16) != 0) driver.refuse_message = "452 4.3.1 Full";
    if ((options & 32) != 0) driver.say("EHLO client.example\r\n");
    Outcome outcome;
    while (!input.empty()) {
        const std::size_t piece =
            cuts == nullptr ? input.size() : 1 + cuts->below(cuts->below(4) == 0 ? 300 : 4);
        const std::string_view part = input.substr(0, piece);
        outcome.replies += driver.say(part);
        input.remove_prefix(part.size());
    }
    outcome.messages = driver.messages;
    for (const auto& rejection : driver.rejections)
        outcome.refusals.push_back(rejection.reply);
    outcome.closed = driver.dialogue.closed();
    return outcome;
}

void check_content(const relay_test::TakenMessage& message) {
    const std::string& content = message.content;
    PH_ASSERT(content.ends_with("\r\n"));
    PH_ASSERT(message.stuffed.size() >= content.size());
    for (std::size_t i = 0; i < content.size(); ++i) {
        PH_ASSERT(content[i] != '\0');
        PH_ASSERT((content[i] == '\n') == (i > 0 && content[i - 1] == '\r'));
    }
    // What was asked for by DSN is passed on in commands and written into notifications.
    const auto plain = [](std::string_view value) {
        const auto decoded = relay::decode_xtext(value, true);
        PH_ASSERT(decoded && value.find_first_of(std::string_view(" \r\n\0", 4)) == value.npos);
        for (const char c : *decoded)
            PH_ASSERT(static_cast<unsigned char>(c) >= 32 && c != 127);
    };
    plain(message.dsn.envelope_id);
    for (const auto& asked : message.recipients_dsn) {
        PH_ASSERT(asked.recipient < message.recipients.size());
        PH_ASSERT(!asked.notify.never() || asked.notify.bits() == relay::Notify::kNever);
        plain(asked.original);
    }
    // A receiver that takes CR, LF and CRLF all as line ends.
    bool line_start = true;
    for (std::size_t i = 0; i < message.stuffed.size(); ++i) {
        const char next = i + 1 < message.stuffed.size() ? message.stuffed[i + 1] : '\n';
        PH_ASSERT(!(line_start && message.stuffed[i] == '.' && (next == '\r' || next == '\n')));
        line_start = message.stuffed[i] == '\n' || message.stuffed[i] == '\r';
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
    const Outcome whole = play(input, data[0], nullptr);
    for (const auto& message : whole.messages)
        check_content(message);
    core::Prng cuts(data[1]);
    for (int round = 0; round < 2; ++round)
        PH_ASSERT(play(input, data[0], &cuts) == whole);
    for (std::size_t at = 0; at < whole.replies.size(); at = whole.replies.find("\r\n", at) + 2) {
        PH_ASSERT(whole.replies[at] >= '2' && whole.replies[at] <= '5');
        PH_ASSERT(whole.replies.find("\r\n", at) != std::string::npos);
    }
    return 0;
}
