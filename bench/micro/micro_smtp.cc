// The pure parts on the path of a message: what they cost without a socket, per 10 KiB message.
#include <cstdlib>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/load/dot_scanner.h"
#include "bench/load/load_plan.h"
#include "relay/message/content.h"
#include "relay/message/content_cursor.h"
#include "relay/smtp/client_dialogue.h"
#include "relay/smtp/content_decoder.h"
#include "relay/smtp/server_dialogue.h"

namespace {

constexpr std::string_view kEnvelope =
    "MAIL FROM:<sender@source.example>\r\nRCPT TO:<user1@d0.load.example>\r\nDATA\r\n";

const bench::LoadPlan& plan() {
    static const auto made = bench::LoadPlan::create({.run_id = "micro", .dot_lines = 2});
    return *made;
}

std::string stuffed_message() {
    bench::Draft draft;
    plan().compose(1, draft);
    return draft.header + std::string(plan().stuffed_body()) + ".\r\n";
}

// Feeds a dialogue, in pieces as they come from a socket, and takes what it takes.
std::size_t serve(relay::ServerDialogue& dialogue, std::string_view input, std::size_t piece) {
    std::size_t messages = 0;
    relay::Content content;
    for (std::size_t at = 0; at < input.size(); at += piece) {
        std::string_view part = input.substr(at, piece);
        for (;;) {
            const auto step = dialogue.feed(part);
            part.remove_prefix(step.used);
            if (step.event == relay::ServerEvent::none) break;
            if (step.event == relay::ServerEvent::mail) dialogue.accept_mail();
            if (step.event == relay::ServerEvent::content) {
                content = relay::Content();
                dialogue.begin_content(content);
            }
            if (step.event == relay::ServerEvent::message) {
                content.seal();
                dialogue.accept_message("250 2.0.0 Ok");
                ++messages;
            }
            if (step.event == relay::ServerEvent::closed) return messages;
        }
        benchmark::DoNotOptimize(dialogue.output().data());
        dialogue.output().clear();
    }
    return messages;
}

// One message from MAIL to the reply to its final dot, content copied and checked.
void ServerDialogueMessage(benchmark::State& state) {
    const relay::ServerDialogueOptions options{.hostname = "bench.example"};
    relay::ServerDialogue dialogue(options, true);
    dialogue.greet();
    serve(dialogue, "EHLO client.example\r\n", 4096);
    const std::string session = std::string(kEnvelope) + stuffed_message();
    std::size_t messages = 0;
    for (auto _ : state) {
        messages += serve(dialogue, session, static_cast<std::size_t>(state.range(0)));
    }
    if (messages != static_cast<std::size_t>(state.iterations())) {
        state.SkipWithError("a message was not taken");
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(session.size()) * state.iterations());
}
BENCHMARK(ServerDialogueMessage)->Arg(4096)->Arg(16384);

void ContentDecoderMessage(benchmark::State& state) {
    const std::string message = stuffed_message();
    for (auto _ : state) {
        relay::Content content;
        relay::ContentDecoder decoder;
        decoder.begin_data(content, 1U << 20U, relay::BareEndings::reject);
        if (decoder.feed_data(message) != message.size() || !decoder.at_end()) {
            state.SkipWithError("the end was not found");
        }
        benchmark::DoNotOptimize(content.size());
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(message.size()) * state.iterations());
}
BENCHMARK(ContentDecoderMessage);

// The floor for the decoder: finding the end without looking at anything else, copying nothing.
void DotScannerMessage(benchmark::State& state) {
    const std::string message = stuffed_message();
    for (auto _ : state) {
        bench::DotScanner scanner;
        scanner.reset();
        benchmark::DoNotOptimize(scanner.scan(message));
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(message.size()) * state.iterations());
}
BENCHMARK(DotScannerMessage);

void GatherStuffed(benchmark::State& state) {
    relay::Content content;
    relay::ContentDecoder decoder;
    decoder.begin_data(content, 1U << 20U, relay::BareEndings::reject);
    decoder.feed_data(stuffed_message());
    content.seal();
    std::vector<iovec> parts;
    for (auto _ : state) {
        parts.clear();
        relay::ContentCursor cursor(content, relay::ContentCursor::Form::stuffed);
        while (!cursor.done())
            cursor.next(parts);
        benchmark::DoNotOptimize(parts.data());
    }
}
BENCHMARK(GatherStuffed);

// One message across messages: compose the group, read the four replies of the round trip.
void ClientDialogueMessage(benchmark::State& state) {
    using Event = relay::ClientDialogue::Event;
    relay::Content content;
    content.append("Subject: x\r\n\r\ntext\r\n");
    content.seal();
    relay::ClientDialogue dialogue("bench.example", relay::PipelineMode::next, false);
    std::vector<iovec> parts;
    const auto receive = [&](std::string_view input) {
        std::size_t finished = 0;
        for (;;) {
            const Event event = dialogue.receive(input);
            if (event == Event::need_input) return finished;
            if (event == Event::finished && dialogue.take_finished() != nullptr) ++finished;
            if (event == Event::closing || event == Event::closed) std::abort();
        }
    };
    const auto compose = [&] {
        parts.clear();
        dialogue.compose(parts);
        benchmark::DoNotOptimize(parts.data());
    };
    receive("220 sink.example ESMTP\r\n");
    compose();
    receive("250-sink.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n");
    relay::Transaction transactions[3];
    std::size_t begun = 0;
    const auto begin = [&] {
        relay::Transaction& next = transactions[begun++ % 3];
        next = relay::Transaction();
        next.sender = "sender@source.example";
        next.recipients = {"user1@d0.load.example"};
        next.content = &content;
        dialogue.begin(next);
    };
    begin();
    compose();
    receive("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n");
    std::size_t finished = 0;
    for (auto _ : state) {
        begin();
        compose();
        finished += receive("250 2.0.0 Ok\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n");
    }
    if (finished != static_cast<std::size_t>(state.iterations())) {
        state.SkipWithError("not one message per round trip");
    }
    dialogue.connection_lost("end of the benchmark", true);
    while (dialogue.take_finished() != nullptr)
        continue;
}
BENCHMARK(ClientDialogueMessage);

}  // namespace
