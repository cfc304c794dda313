// FairQueue: what a recipient costs that is added and taken, with a million waiting, in one queue
// or in many (tenants, or campaigns of one tenant). Beside it the plain FIFO, which reads no label.
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "core/base/prng.h"
#include "relay/path/fair_queue.h"

namespace {

using relay::Message;
using relay::Recipient;

constexpr std::size_t kWaiting = 1'000'000;

// Recipients in the order in which a relay would have accepted them: the queues at random.
class Mail {
  public:
    Mail(std::size_t tenants, std::size_t campaigns) {
        core::Prng random(1);
        for (std::size_t i = 0; i < kWaiting; ++i) {
            messages_.push_back(std::make_unique<Message>());
            Message& message = *messages_.back();
            const std::size_t tenant = random.below(tenants);
            const std::size_t campaign = random.below(campaigns);
            if (tenants * campaigns > 1) {
                message.edit_labels() = {&table_.intern("tenant" + std::to_string(tenant)),
                                         "campaign" + std::to_string(campaign)};
            }
            message.recipients.push_back(std::make_unique<Recipient>(message, "u@example.com"));
        }
    }
    Recipient& operator[](std::size_t i) { return *messages_[i]->recipients.front(); }

  private:
    relay::TenantTable table_;
    std::vector<std::unique_ptr<Message>> messages_;
};

void Fifo(benchmark::State& state) {
    Mail mail(1, 1);
    relay::ReadyQueue queue;
    for (std::size_t i = 0; i < kWaiting; ++i)
        queue.push_back(mail[i]);
    std::vector<Recipient*> taken;
    for (auto _ : state) {
        taken.clear();
        queue.take_transaction(taken, 100);
        queue.push_back(*taken.front());
    }
    while (!queue.empty())
        queue.pop_front();
}
BENCHMARK(Fifo);

// One is taken, another of a random queue is added.
void Fair(benchmark::State& state) {
    Mail mail(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
    relay::FairQueue queue;
    for (std::size_t i = 0; i < kWaiting; ++i)
        queue.add(mail[i]);
    std::vector<Recipient*> taken;
    for (auto _ : state) {
        taken.clear();
        queue.take_transaction(taken, 100);
        queue.add(*taken.front());
    }
    relay::ReadyQueue all;
    queue.give_up(all);
    while (!all.empty())
        all.pop_front();
}
BENCHMARK(Fair)->Args({1, 1})->Args({10, 1})->Args({1000, 1})->Args({100'000, 1})->Args({1, 1000});

// All at once, of so many queues: what a site that fails costs the loop.
void GiveUp(benchmark::State& state) {
    Mail mail(static_cast<std::size_t>(state.range(0)), 1);
    relay::FairQueue queue;
    for (auto _ : state) {
        state.PauseTiming();
        for (std::size_t i = 0; i < kWaiting; ++i)
            queue.add(mail[i]);
        relay::ReadyQueue all;
        state.ResumeTiming();
        queue.give_up(all);
        state.PauseTiming();
        while (!all.empty())
            all.pop_front();
        state.ResumeTiming();
    }
}
BENCHMARK(GiveUp)->Arg(1)->Arg(1000)->Arg(100'000)->Iterations(3)->Unit(benchmark::kMillisecond);

}  // namespace
