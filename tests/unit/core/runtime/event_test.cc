#include "core/runtime/event.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/sim/sim_world.h"

namespace core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Outcome {
    bool done = false;
    bool happened = false;
    Instant when{};
};

Task<void> wait_for(Shard& shard, Event& event, Instant deadline, Outcome& outcome) {
    outcome.happened = co_await event.wait(deadline);
    outcome.when = shard.now();
    outcome.done = true;
}

class EventTest : public testing::Test {
  protected:
    sim::SimWorld world{1};
    Shard& shard = world.shard();
    Event event{shard.reactor()};
    Outcome first, second;

    void start(Outcome& outcome, Instant deadline = kNever) {
        world.spawn(shard, wait_for(shard, event, deadline, outcome));
        world.run_until([] { return false; }, milliseconds{1});
    }
    void settle() {
        ASSERT_TRUE(world.run_until([&] { return world.running_tasks() == 0; }));
    }
};

TEST_F(EventTest, set_releases_present_and_future_waiters) {
    start(first);
    EXPECT_FALSE(first.done);
    event.set();
    start(second);
    settle();
    EXPECT_TRUE(first.happened);
    EXPECT_TRUE(second.happened);
    event.reset();
    Outcome third;
    start(third, shard.now() + milliseconds{10});
    settle();
    EXPECT_FALSE(third.happened);
}

TEST_F(EventTest, notify_one_releases_the_first_in_line) {
    start(first);
    start(second, world.clock().now() + seconds{5});
    event.notify_one();
    settle();
    EXPECT_TRUE(first.happened);
    EXPECT_FALSE(second.happened);
}

TEST_F(EventTest, notify_all_does_not_last) {
    start(first);
    event.notify_all();
    settle();
    start(second, world.clock().now() + seconds{1});
    settle();
    EXPECT_TRUE(first.happened);
    EXPECT_FALSE(second.happened);
    EXPECT_FALSE(event.has_waiters());
}

TEST_F(EventTest, a_deadline_is_never_early_and_at_most_a_tick_late) {
    const Instant deadline = world.clock().now() + milliseconds{1500};
    start(first, deadline);
    settle();
    EXPECT_FALSE(first.happened);
    EXPECT_GE(first.when, deadline);
    EXPECT_LE(first.when, deadline + milliseconds{2});
}

TEST_F(EventTest, a_deadline_in_the_past_ends_the_wait) {
    world.run_for(seconds{10});
    start(first, Instant{} + seconds{1});
    settle();
    EXPECT_FALSE(first.happened);
    EXPECT_LE(world.elapsed(), seconds{11});
}

TEST_F(EventTest, the_timer_of_a_released_waiter_is_gone) {
    start(first, world.clock().now() + seconds{100});
    EXPECT_EQ(shard.reactor().timers().size(), 1U);
    event.notify_all();
    settle();
    EXPECT_EQ(shard.reactor().timers().size(), 0U);
    EXPECT_LT(world.elapsed(), seconds{1});
}

// Both happen in one turn: whichever came first counts, and the waiter is resumed once.
TEST_F(EventTest, notification_and_deadline_in_the_same_turn) {
    class Notify final : public Timer {
      public:
        explicit Notify(Event& target) : target_(target) {}
        void expire() override { target_.notify_all(); }

      private:
        Event& target_;
    };
    const Instant deadline = world.clock().now() + seconds{1};
    Notify before(event);
    shard.reactor().timers().arm(before, deadline);
    start(first, deadline);
    Notify after(event);
    shard.reactor().timers().arm(after, deadline);
    settle();
    EXPECT_TRUE(first.done);
    EXPECT_FALSE(before.armed());
    world.run_for(seconds{1});
    EXPECT_FALSE(after.armed());
}

}  // namespace
}  // namespace core
