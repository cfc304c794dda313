// TimerSet: the cost of a timer must not depend on how many others there are.
#include <memory>
#include <vector>

#include <benchmark/benchmark.h>

#include "core/base/prng.h"
#include "core/runtime/timer_set.h"

namespace {

using std::chrono::milliseconds;

struct Quiet final : core::Timer {
    void expire() override {}
};

struct Periodic final : core::Timer {
    Periodic(core::TimerSet& in, core::Duration every) : set(in), period(every) {}
    void expire() override { set.arm(*this, deadline() + period); }
    core::TimerSet& set;
    core::Duration period;
};

// Most timers: a deadline that is set and taken back.
void ArmAndDisarm(benchmark::State& state) {
    core::TimerSet set;
    core::Prng random(1);
    std::vector<Quiet> others(static_cast<std::size_t>(state.range(0)));
    for (Quiet& timer : others)
        set.arm(timer, core::Instant{milliseconds{random.below(1 << 20)}});
    Quiet timer;
    for (auto _ : state) {
        set.arm(timer, core::Instant{std::chrono::minutes{5}});
        set.disarm(timer);
    }
    for (Quiet& other : others)
        set.disarm(other);
}
BENCHMARK(ArmAndDisarm)->Arg(0)->Arg(1000)->Arg(1'000'000);

// Timers that run and arm themselves again; per expired timer.
void Expire(benchmark::State& state) {
    core::TimerSet set;
    core::Prng random(1);
    std::vector<std::unique_ptr<Periodic>> timers;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
        timers.push_back(
            std::make_unique<Periodic>(set, milliseconds{1000 + random.below(60'000)}));
        set.arm(*timers.back(), core::Instant{milliseconds{random.below(60'000)}});
    }
    core::Instant now{};
    std::size_t expired = 0;
    for (auto _ : state) {
        now += milliseconds{10};
        expired += set.expire(now);
    }
    state.counters["per_timer"] = benchmark::Counter(
        static_cast<double>(expired), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    for (auto& timer : timers)
        set.disarm(*timer);
}
BENCHMARK(Expire)->Arg(1000)->Arg(100'000)->Arg(1'000'000);

}  // namespace
