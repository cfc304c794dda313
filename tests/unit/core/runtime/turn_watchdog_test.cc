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

const std::string kBudgetText =
    std::to_string(TurnWatchdog::kBudget / milliseconds{1} * TurnWatchdog::kSlowness);
constexpr Duration kTooLong = TurnWatchdog::kBudget * TurnWatchdog::kSlowness * 3 / 2;

class TurnWatchdogTest : public testing::Test {
  public:
    TurnWatchdogTest() { ::setenv("POSTHASTE_TURN_BUDGET_MS", kBudgetText.c_str(), 1); }
    ~TurnWatchdogTest() override { ::unsetenv("POSTHASTE_TURN_BUDGET_MS"); }

  protected:
    SystemClock clock;
    Quiet source;
    Reactor reactor{clock, source};
};

Task<void> walk_without_a_pause(Reactor& reactor) {
    co_await NextTurn{reactor};
    compute_for(kTooLong);
}

Task<void> walk_in_slices(Reactor& reactor, int& slices) {
    for (Duration done{}; done < kTooLong; done += milliseconds{2}) {
        compute_for(milliseconds{2});
        ++slices;
        co_await NextTurn{reactor};
    }
}

TEST_F(TurnWatchdogTest, names_the_coroutine_that_does_not_yield) {
    EXPECT_DEATH(
        {
            TaskGroup group(reactor);
            group.spawn(walk_without_a_pause(reactor));
            while (group.running() > 0)
                reactor.turn(false);
        },
        "the coroutine .*walk_without_a_pause.* kept the loop for");
}

TEST_F(TurnWatchdogTest, names_the_timer_that_takes_long) {
    class LongTimer final : public Timer {
        void expire() override { compute_for(kTooLong); }
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

void open_for_long(void*, void*) {
    compute_for(kTooLong);
}

TEST_F(TurnWatchdogTest, names_the_letter_that_takes_long) {
    Mailroom room(1);
    room.attach(0, source);
    reactor.set_inbox(&room.inbox(0));
    room.post(0, 0, {open_for_long, nullptr, nullptr});
    room.inbox(0).flush();
    EXPECT_DEATH(reactor.turn(false), "the letter .*open_for_long.* kept the loop for");
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
        std::this_thread::sleep_for(kTooLong);
        co_return;
    };
    group.spawn(sleep());
    while (group.running() > 0)
        reactor.turn(false);
}

Task<void> start_slowly(Reactor& reactor) {
    co_await NextTurn{reactor};
    reactor.excuse_step();
    compute_for(kTooLong);
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
    EXPECT_TRUE(
        symbol_name(reinterpret_cast<const void*>(&open_for_long)).contains("open_for_long"));
    EXPECT_TRUE(symbol_name(nullptr).starts_with("+0x"));
    EXPECT_EQ(type_name(typeid(TurnWatchdog).name()), "core::TurnWatchdog");
}

}  // namespace
}  // namespace core
