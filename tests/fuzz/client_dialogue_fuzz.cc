// Feeds arbitrary server octets to the sending dialogue. The oracle: cut anywhere, the same input
// gives the same commands and the same results; no failure has a code that is no refusal; every
// transaction is finished exactly once; content is sent only after a go-ahead; nothing is delivered
// without a positive reply; nothing is begun in clear text where TLS is required, and no password
// told where it must not be; octets above 127 are said only in envelopes with SMTPUTF8, and that
// only to a server that named it.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ascii.h"
#include "core/base/assert.h"
#include "relay/smtp/client_dialogue.h"

namespace {

using relay::ClientDialogue;

struct Outcome {
    std::string transcript;
    std::vector<int> results;
    bool operator==(const Outcome&) const = default;
};

// What of a message is in UTF-8.
enum class Utf8 : std::uint8_t { nothing, domains, a_recipient, all };

void address(relay::Transaction& transaction, Utf8 utf8) {
    transaction.sender = utf8 == Utf8::all ? "\u00e4@b\u00fccher.example" : "a@b";
    transaction.recipients = {"c@d", "e@d"};
    if (utf8 == Utf8::nothing) return;
    transaction.recipients = {"c@b\u00fccher.example", "e@b\u00fccher.example"};
    if (utf8 == Utf8::domains) return;
    transaction.recipients[1] = "\u00e9@b\u00fccher.example";
    transaction.notifications = {{relay::Notify(relay::Notify::kFailure), ""},
                                 {relay::Notify(), "utf-8;\u00e9@d"}};
    transaction.utf8 = utf8 == Utf8::all;
}

bool above_127(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return c < 0; });
}

// Our content is ASCII: what is not is in commands.
void check_utf8(std::string_view transcript, std::string_view said_by_server) {
    bool utf8 = false;  // the transaction has SMTPUTF8
    while (!transcript.empty()) {
        const auto end = transcript.find("\r\n");
        PH_ASSERT(end != std::string_view::npos);  // all that leaves is whole lines
        const std::string_view line = transcript.substr(0, end);
        transcript.remove_prefix(end + 2);
        const bool mail = line.starts_with("MAIL FROM:");
        if (mail) utf8 = line.contains(" SMTPUTF8");
        if (above_127(line)) PH_ASSERT(utf8 && (mail || line.starts_with("RCPT TO:")));
    }
    PH_ASSERT(!utf8 || core::to_lower(said_by_server).contains("smtputf8"));
}

// Of a session that logs in: no text quotes the password, as it is or as AUTH PLAIN has it.
bool hides_password(const relay::Disposition& said) {
    const std::string text = core::to_lower(said.words());
    return !text.contains("pa55word") && !text.contains("ahvzzxiacge1nxdvcmq");
}

// The first octet chooses the mode, the rest is what the server says; chunk is how it arrives.
Outcome run(std::uint8_t flavour, Utf8 utf8, std::string_view input, std::size_t chunk) {
    constexpr std::size_t kMessages = 6;
    relay::Content content;
    content.append("Subject: x\r\n\r\nhello\r\n");
    content.seal();
    const std::string_view whole = input;
    std::vector<relay::Transaction> transactions(kMessages);
    for (auto& transaction : transactions) {
        address(transaction, utf8);
        transaction.content = &content;
    }
    ClientDialogue dialogue("me", static_cast<relay::PipelineMode>(flavour % 3), flavour & 4);
    const relay::Login login{"user", "pa55word", (flavour & 64) != 0};
    if (flavour & 8) dialogue.want_tls(relay::TlsWish::if_offered);
    if (flavour & 16) dialogue.want_tls(relay::TlsWish::required);
    if (flavour & 32) dialogue.log_in(login, "nonce");
    bool secure = false;
    Outcome outcome;
    std::size_t begun = 0;
    std::size_t finished = 0;
    bool over = false;
    const auto settle = [&] {
        while (relay::Transaction* done = dialogue.take_finished()) {
            ++finished;
            outcome.results.push_back(static_cast<int>(done - transactions.data()));
            for (const auto& result : done->results) {
                PH_ASSERT(result.outcome != relay::Outcome::delivered ||
                          (result.reply.code >= 200 && result.reply.code < 300));
                const bool failed = result.outcome == relay::Outcome::deferred ||
                                    result.outcome == relay::Outcome::bounced;
                PH_ASSERT(!failed || (result.reply.code >= 400 && result.reply.code < 600));
                PH_ASSERT(!(flavour & 32) || hides_password(result));
                outcome.results.push_back(static_cast<int>(result.outcome) * 1000 +
                                          result.reply.code);
            }
        }
    };
    const auto write = [&] {
        while (begun < kMessages && dialogue.can_begin()) {
            dialogue.begin(transactions[begun++]);
            settle();
        }
        std::vector<iovec> parts;
        dialogue.compose(parts);
        for (const iovec& part : parts) {
            outcome.transcript.append(static_cast<const char*>(part.iov_base), part.iov_len);
        }
    };
    write();
    while (!input.empty() && !over) {
        // A reply is an answer: nothing of the next one is there before the dialogue had its turn.
        const std::size_t line = std::min(input.find('\n'), input.size() - 1) + 1;
        std::string_view piece = input.substr(0, std::min(chunk, line));
        input.remove_prefix(piece.size());
        while (!over) {
            const auto event = dialogue.receive(piece);
            settle();
            write();  // after every event, so that cutting the input changes nothing
            if (event == ClientDialogue::Event::need_input) break;
            if (event == ClientDialogue::Event::start_tls) {
                PH_ASSERT(!secure && outcome.transcript.ends_with("STARTTLS\r\n"));
                secure = true;
                dialogue.tls_started(flavour & 128);
                write();
                PH_ASSERT(outcome.transcript.ends_with("EHLO me\r\n"));
            }
            over =
                event == ClientDialogue::Event::closing || event == ClientDialogue::Event::closed;
        }
    }
    dialogue.connection_lost("end of input", true);
    settle();
    PH_ASSERT(finished == begun);
    check_utf8(outcome.transcript, whole);
    PH_ASSERT(begun == 0 || secure || !(flavour & 16));
    // The password itself leaves only where it may: \0user\0pa55word, or alone.
    const bool told = outcome.transcript.contains("AHVzZXIAcGE1NXdvcmQ=") ||
                      outcome.transcript.contains("cGE1NXdvcmQ=");
    PH_ASSERT(!told || (flavour & 64) || (secure && (flavour & 128)));
    const relay::Disposition& ending = dialogue.ending();
    PH_ASSERT(!(flavour & 32) || hides_password(ending));
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2 || size > 4096) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
    const auto utf8 = static_cast<Utf8>(data[1] / 64);
    const Outcome whole = run(data[0], utf8, input, input.size());
    PH_ASSERT(run(data[0], utf8, input, 1 + data[1] % 64) == whole);
    return 0;
}
