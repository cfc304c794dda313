// Feeds arbitrary server octets to the sending dialogue. The oracle: cut anywhere, the same input
// gives the same commands and the same results; every transaction is finished exactly once; content
// is sent only after a go-ahead; nothing is delivered without a positive reply; nothing is begun in
// clear text where TLS is required, and no password told where it must not be.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/assert.h"
#include "relay/smtp/client_dialogue.h"

namespace {

using relay::ClientDialogue;

struct Outcome {
    std::string transcript;
    std::vector<int> results;
    bool operator==(const Outcome&) const = default;
};

// The first octet chooses the mode, the rest is what the server says; chunk is how it arrives.
Outcome run(std::uint8_t flavour, std::string_view input, std::size_t chunk) {
    constexpr std::size_t kMessages = 6;
    relay::Content content;
    content.append("Subject: x\r\n\r\nhello\r\n");
    content.seal();
    const std::string_view whole = input;
    std::vector<relay::Transaction> transactions(kMessages);
    for (auto& transaction : transactions) {
        transaction.sender = "a@b";
        transaction.recipients = {"c@d", "e@d"};
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
                          (result.code >= 200 && result.code < 300));
                outcome.results.push_back(static_cast<int>(result.outcome) * 1000 + result.code);
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
    PH_ASSERT(begun == 0 || secure || !(flavour & 16));
    // The password itself leaves only where it may: \0user\0pa55word, or alone.
    const bool told = outcome.transcript.contains("AHVzZXIAcGE1NXdvcmQ=") ||
                      outcome.transcript.contains("cGE1NXdvcmQ=");
    PH_ASSERT(!told || (flavour & 64) || (secure && (flavour & 128)));
    const relay::Disposition& ending = dialogue.ending();
    PH_ASSERT(!ending.text.contains("pa55word") ||
              (ending.command != "AUTH" && whole.contains("pa55word")));
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2 || size > 4096) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
    const Outcome whole = run(data[0], input, input.size());
    PH_ASSERT(run(data[0], input, 1 + data[1] % 97) == whole);
    return 0;
}
