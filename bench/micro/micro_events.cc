// Event records: formatting one must stay far below what sending a message costs.
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "relay/events/event_text.h"

namespace {

std::unique_ptr<relay::Message> message(std::size_t recipients) {
    auto made = std::make_unique<relay::Message>();
    made->id = {0x0199f2c000000001ULL, 0x0123456789abcdefULL};
    made->sender = "newsletter@source.example";
    made->content.append("Subject: x\r\n\r\ntext\r\n");
    made->content.seal();
    made->edit_injection().protocol = "ESMTP";
    made->edit_injection().session_id = "0-12345";
    for (std::size_t i = 0; i < recipients; ++i) {
        made->recipients.push_back(std::make_unique<relay::Recipient>(
            *made, "user" + std::to_string(i) + "@d0.load.example"));
    }
    return made;
}

void Reception(benchmark::State& state) {
    const auto sample = message(static_cast<std::size_t>(state.range(0)));
    std::string lines;
    for (auto _ : state) {
        lines.clear();
        relay::append_event(
            lines, relay::reception_event(*sample, 0, {"client.example", "192.0.2.1:40000"},
                                          {{250, {2, 0, 0}, "Ok: queued"}, "."}, core::WallTime{}));
        benchmark::DoNotOptimize(lines.data());
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Reception)->Arg(1)->Arg(100);

void Delivery(benchmark::State& state) {
    const auto sample = message(1);
    relay::Recipient& recipient = *sample->recipients.front();
    recipient.attempts = 1;
    relay::Disposition done;
    done.outcome = relay::Outcome::delivered;
    done.reply.code = 250;
    done.reply.enhanced = {2, 0, 0};
    done.reply.text = "Ok: queued as 4bXw2F3kZz1234";
    done.command = ".";
    done.peer_name = "mx1.load.example";
    done.peer_address = "192.0.2.25:25";
    recipient.set_disposition(std::move(done));
    std::string lines;
    for (auto _ : state) {
        lines.clear();
        relay::append_event(
            lines, relay::outcome_event(recipient, "mx1.load.example", {}, core::WallTime{}));
        benchmark::DoNotOptimize(lines.data());
    }
}
BENCHMARK(Delivery);

}  // namespace
