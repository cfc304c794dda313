#include "core/runtime/task_group.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_world.h"

namespace core {
namespace {

Task<void> wait_then_note(Event& event, std::vector<int>& log, int number) {
    co_await event.wait();
    log.push_back(number);
}

Task<void> close_and_note(TaskGroup& group, std::vector<int>& log) {
    co_await group.close();
    log.push_back(-1);
}

TEST(TaskGroup, close_waits_for_every_task) {
    sim::SimWorld world{1};
    Reactor& reactor = world.shard().reactor();
    Event go(reactor);
    TaskGroup group(reactor);
    std::vector<int> log;
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(group.spawn(wait_then_note(go, log, i)));
    EXPECT_EQ(group.running(), 3U);
    world.spawn(world.shard(), close_and_note(group, log));
    world.run_for(std::chrono::seconds{1});
    EXPECT_TRUE(log.empty());
    EXPECT_TRUE(group.closing());
    EXPECT_FALSE(group.spawn(wait_then_note(go, log, 9)));  // refused, destroyed unstarted
    go.set();
    ASSERT_TRUE(world.run_until([&] { return world.running_tasks() == 0; }));
    EXPECT_EQ(log, (std::vector{0, 1, 2, -1}));
    EXPECT_EQ(group.running(), 0U);
}

TEST(TaskGroup, closing_an_empty_group_ends_at_once) {
    sim::SimWorld world{1};
    TaskGroup group(world.shard().reactor());
    std::vector<int> log;
    EXPECT_TRUE(world.run(world.shard(), close_and_note(group, log)));
    EXPECT_EQ(world.elapsed(), Duration{0});
}

Task<void> spawn_another(TaskGroup& group, std::vector<int>& log, int left) {
    log.push_back(left);
    if (left > 0) group.spawn(spawn_another(group, log, left - 1));
    co_return;
}

TEST(TaskGroup, tasks_may_spawn_tasks) {
    sim::SimWorld world{1};
    TaskGroup group(world.shard().reactor());
    std::vector<int> log;
    group.spawn(spawn_another(group, log, 5));
    ASSERT_TRUE(world.run_until([&] { return group.running() == 0; }));
    EXPECT_EQ(log, (std::vector{5, 4, 3, 2, 1, 0}));
}

struct Alive {
    explicit Alive(int& count) : counter(&count) { ++*counter; }
    Alive(Alive&& other) noexcept : counter(std::exchange(other.counter, nullptr)) {}
    Alive& operator=(Alive&&) = delete;
    ~Alive() {
        if (counter != nullptr) --*counter;
    }
    int* counter;
};

Task<void> hold(Alive /*alive*/, Event& event) {
    co_await event.wait();
}

TEST(TaskGroup, a_finished_task_has_released_everything) {
    sim::SimWorld world{1};
    Event go(world.shard().reactor());
    TaskGroup group(world.shard().reactor());
    int alive = 0;
    for (int i = 0; i < 10; ++i)
        group.spawn(hold(Alive(alive), go));
    EXPECT_EQ(alive, 10);
    go.set();
    ASSERT_TRUE(world.run_until([&] { return group.running() == 0; }));
    EXPECT_EQ(alive, 0);
}

TEST(TaskGroupDeathTest, dying_with_running_tasks_is_a_bug) {
    EXPECT_DEATH(
        {
            sim::SimWorld world{1};
            Event never(world.shard().reactor());
            std::vector<int> log;
            TaskGroup group(world.shard().reactor());
            group.spawn(wait_then_note(never, log, 1));
        },
        "running_ == 0");
}

}  // namespace
}  // namespace core
