// What a failure costs beyond its event: classifying the reply. A delivery pays nothing.
#include <array>
#include <string>

#include <benchmark/benchmark.h>

#include "core/base/prng.h"
#include "relay/bounce/classifier.h"

namespace {

constexpr std::array<std::string_view, 6> kTexts = {
    "<reader@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
    "The email account that you tried to reach does not exist. Please try double-checking the "
    "recipient's email address for typos or unnecessary spaces. Learn more at "
    "https://support.google.com/mail/?p=NoSuchUser e22-n7G",
    "[TSS04] Messages from 192.0.2.25 temporarily deferred due to unexpected volume or user "
    "complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes",
    "Service unavailable; Client host [192.0.2.222] blocked using zen.spamhaus.org",
    "mailbox is over quota, try again later",
    "ok of a kind that no rule knows, with a number in it"};

relay::Disposition refused(std::string text) {
    relay::Disposition result;
    result.outcome = relay::Outcome::bounced;
    result.reply = {550, {}, std::move(text)};
    result.peer_name = "mx1.example.com";
    return result;
}

// Every reply is new by a queue id in it, so that nothing is remembered.
void Rules(benchmark::State& state) {
    const auto rules = relay::BounceRules::built_in();
    std::uint64_t number = 0;
    for (auto _ : state) {
        std::string text(kTexts[number % kTexts.size()]);
        text += std::to_string(number++ * 2654435761U);
        benchmark::DoNotOptimize(rules->classify({{550, {}, text}, "mx1.example.com"}));
    }
    state.counters["patterns"] = static_cast<double>(rules->patterns());
}
BENCHMARK(Rules);

void RulesOnNoise(benchmark::State& state) {
    const auto rules = relay::BounceRules::built_in();
    core::Prng prng(1);
    std::string text(static_cast<std::size_t>(state.range(0)), ' ');
    for (auto _ : state) {
        for (char& c : text)
            c = static_cast<char>(' ' + prng.next() % 90);
        benchmark::DoNotOptimize(rules->classify({{550, {}, text}, "mx1.example.com"}));
    }
}
BENCHMARK(RulesOnNoise)->Arg(100)->Arg(1000);

// A site that is down says the same to everybody.
void Remembered(benchmark::State& state) {
    relay::BounceClassifier classifier(relay::BounceRules::built_in());
    const relay::Disposition done = refused(std::string(kTexts[2]));
    for (auto _ : state)
        benchmark::DoNotOptimize(classifier.classify(done));
}
BENCHMARK(Remembered);

}  // namespace
