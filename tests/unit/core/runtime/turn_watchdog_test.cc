#include "core/runtime/turn_watchdog.h"

#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <typeinfo>

#include <gtest/gtest.h>

#include "core/runtime/mailroom.h"
#include "core/runtime/next_turn.h"
#include "core/runtime/symbol_name.h"
#include "core/runtime/task_group.h"

namespace core {
namespace {

using std::chrono::milliseconds;

class Quiet final : public EventSource {
  public:
    void wait(Instant) override { ++waits; }
    void wake() override {}
    int waits = 0;
};

Duration thread_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds{time.tv_sec} + Duration{time.tv_nsec};
}

void compute_for(Duration span) {
    const Duration end = thread_time() + span;
    while (thread_time() < end)
        ;
}

constexpr Duration kTooLong = TurnWatchdog::kBudget * TurnWatchdog::kSlowness * 3 / 2;
constexpr Duration kFarTooLong = TurnWatchdog::kEnd * TurnWatchdog::kSlowness * 6 / 5;

class TurnWatchdogTest : public testing::Test {
  public:
    // The limits are those without an answer from the environment.
    TurnWatchdogTest() { ::unsetenv("POSTHASTE_TURN_BUDGET_MS"); }
    SystemClock clock;
    Quiet source;
    Reactor reactor{clock, source};

    void run(Task<void> task) {
        TaskGroup group(reactor);
        group.spawn(std::move(task));
        while (group.running() > 0)
            reactor.turn(false);
    }
};

Task<void> walk_for(Reactor& reactor, Duration span) {
    co_await NextTurn{reactor};
    compute_for(span);
}

Task<void> walk_in_slices(Reactor& reactor, int& slices) {
    for (Duration done{}; done < kFarTooLong; done += milliseconds{2}) {
        compute_for(milliseconds{2});
        ++slices;
        co_await NextTurn{reactor};
    }
}

TEST_F(TurnWatchdogTest, ends_at_the_coroutine_that_does_not_yield) {
    EXPECT_DEATH(run(walk_for(reactor, kFarTooLong)),
                 "the coroutine .*walk_for.* kept the loop for .* the limit is [0-9]+ ms");
}

// What may be time that was lost to others is named only.
TEST_F(TurnWatchdogTest, names_a_step_that_is_a_little_too_long) {
    testing::internal::CaptureStderr();
    run(walk_for(reactor, kTooLong));
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(said.contains("walk_for")) << said;
    EXPECT_TRUE(said.contains("kept the loop for")) << said;
}

TEST_F(TurnWatchdogTest, the_environment_may_say_another_limit) {
    const auto limit = [](Duration span) {
        const std::string text = std::to_string(span / milliseconds{1});
        ::setenv("POSTHASTE_TURN_BUDGET_MS", text.c_str(), 1);
    };
    limit(TurnWatchdog::kBudget * TurnWatchdog::kSlowness);
    Reactor strict{clock, source};
    limit(Duration{});
    Reactor without{clock, source};
    ::unsetenv("POSTHASTE_TURN_BUDGET_MS");
    TaskGroup in_strict(strict);
    EXPECT_DEATH(
        {
            in_strict.spawn(walk_for(strict, kTooLong));
            while (in_strict.running() > 0)
                strict.turn(false);
        },
        "the coroutine .*walk_for.* kept the loop for");
    TaskGroup in_without(without);
    in_without.spawn(walk_for(without, kFarTooLong));
    while (in_without.running() > 0)
        without.turn(false);
}

TEST_F(TurnWatchdogTest, ends_at_the_timer_that_takes_long) {
    class LongTimer final : public Timer {
        void expire() override { compute_for(kFarTooLong); }
    } timer;
    reactor.timers().arm(timer, clock.now());
    EXPECT_DEATH(
        {
            for (int i = 0; i < 100'000; ++i)
                reactor.turn(false);
        },
        "the timer .*LongTimer kept the loop for");
    reactor.timers().disarm(timer);
}

struct OpenForLong {
    void operator()() const { compute_for(kFarTooLong); }
};

TEST_F(TurnWatchdogTest, ends_at_the_letter_that_takes_long) {
    Mailroom room(1);
    room.attach(0, source);
    reactor.set_inbox(&room.inbox(0));
    room.post(0, 0, Letter::of(OpenForLong{}));
    room.inbox(0).flush();
    EXPECT_DEATH(reactor.turn(false), "the letter .*OpenForLong.* kept the loop for");
}

TEST_F(TurnWatchdogTest, lets_slices_and_waiting_pass) {
    TaskGroup group(reactor);
    int slices = 0;
    group.spawn(walk_in_slices(reactor, slices));
    while (group.running() > 0)
        reactor.turn(false);
    EXPECT_GT(slices, 5);
    EXPECT_GE(source.waits, slices);  // each in a turn of its own
    // Time in which the thread did not run is nobody's fault.
    const auto sleep = []() -> Task<void> {
        std::this_thread::sleep_for(kFarTooLong);
        co_return;
    };
    group.spawn(sleep());
    while (group.running() > 0)
        reactor.turn(false);
}

Task<void> start_slowly(Reactor& reactor) {
    co_await NextTurn{reactor};
    reactor.excuse_step();
    compute_for(kFarTooLong);
}

TEST_F(TurnWatchdogTest, excuses_a_step_of_the_start) {
    TaskGroup group(reactor);
    group.spawn(start_slowly(reactor));
    while (group.running() > 0)
        reactor.turn(false);
}

// A turn ends by time too: many short steps do not keep the loop from the sockets.
Task<void> busy_for_a_while(int& steps) {
    compute_for(milliseconds{1});
    ++steps;
    co_return;
}

TEST_F(TurnWatchdogTest, a_turn_of_many_short_steps_ends_by_time) {
    TaskGroup group(reactor);
    int steps = 0;
    for (int i = 0; i < 200; ++i)
        group.spawn(busy_for_a_while(steps));
    int turns = 0;
    while (group.running() > 0) {
        reactor.turn(false);
        ++turns;
    }
    EXPECT_EQ(steps, 200);
    EXPECT_GE(turns, 5);
    std::uint64_t counted = 0;
    for (const std::uint64_t count : reactor.stats().turns_by_length)
        counted += count;
    EXPECT_EQ(counted, reactor.stats().turns);
}

TEST(SymbolName, of_a_function_without_a_dynamic_symbol) {
    EXPECT_TRUE(symbol_name(Letter::of(OpenForLong{}).function()).contains("OpenForLong"));
    EXPECT_TRUE(symbol_name(reinterpret_cast<const void*>(&compute_for)).contains("compute_for"));
    EXPECT_TRUE(symbol_name(nullptr).starts_with("+0x"));
    EXPECT_EQ(type_name(typeid(TurnWatchdog).name()), "core::TurnWatchdog");
}

}  // namespace
}  // namespace core
