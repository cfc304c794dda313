#include "core/runtime/reactor.h"

#include <vector>

#include <gtest/gtest.h>

#include "core/runtime/task_group.h"

namespace core {
namespace {

class Recorder final : public EventSource {
  public:
    void wait(Instant until) override {
        waits.push_back(until);
        if (on_wait != nullptr) on_wait();
    }
    void wake() override {}
    std::vector<Instant> waits;
    void (*on_wait)() = nullptr;
};

class ReactorTest : public testing::Test {
  protected:
    VirtualClock clock{WallTime{}};
    Recorder source;
    Reactor reactor{clock, source};
};

// Suspends into the ready queue: the cheapest way to give others a turn.
struct Yield {
    Reactor& reactor;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) { reactor.schedule(handle); }
    void await_resume() const noexcept {}
};

Task<void> spin(Reactor& reactor, int times, int& count) {
    for (int i = 0; i < times; ++i) {
        ++count;
        co_await Yield{reactor};
    }
}

TEST_F(ReactorTest, a_busy_coroutine_does_not_keep_the_loop_from_io) {
    TaskGroup group(reactor);
    int count = 0;
    group.spawn(spin(reactor, 100'000, count));
    while (group.running() > 0)
        EXPECT_TRUE(reactor.turn(true));
    EXPECT_EQ(count, 100'000);
    EXPECT_GE(source.waits.size(), 100'000U / 4096U);
    for (std::size_t i = 0; i + 1 < source.waits.size(); ++i) {
        ASSERT_EQ(source.waits[i], Instant::min());  // never blocks with work left
    }
}

TEST_F(ReactorTest, blocks_until_the_next_timer) {
    class Nothing final : public Timer {
        void expire() override {}
    } timer;
    reactor.turn(true);
    EXPECT_EQ(source.waits.back(), kNever);
    reactor.timers().arm(timer, Instant{std::chrono::seconds{10}});
    reactor.turn(true);
    EXPECT_GT(source.waits.back(), Instant{});
    EXPECT_LE(source.waits.back(), Instant{std::chrono::milliseconds{10'002}});
    reactor.turn(false);
    EXPECT_EQ(source.waits.back(), Instant::min());
    clock.advance_to(Instant{std::chrono::seconds{11}});
    reactor.turn(false);  // takes the time
    EXPECT_TRUE(reactor.turn(false));
    EXPECT_FALSE(timer.armed());
}

TEST_F(ReactorTest, the_time_of_a_turn_does_not_move_within_it) {
    const Instant before = reactor.now();
    clock.advance_to(Instant{std::chrono::seconds{1}});
    EXPECT_EQ(reactor.now(), before);
    reactor.turn(false);
    EXPECT_EQ(reactor.now(), clock.now());
}

Task<void> stop(Reactor& reactor) {
    reactor.stop();
    co_return;
}

TEST_F(ReactorTest, run_ends_after_stop_and_can_run_again) {
    TaskGroup group(reactor);
    for (int round = 0; round < 2; ++round) {
        group.spawn(stop(reactor));
        reactor.run();
    }
    EXPECT_EQ(group.running(), 0U);
}

}  // namespace
}  // namespace core
