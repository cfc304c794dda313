#include "core/runtime/places.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_world.h"

namespace core {
namespace {

using std::chrono::seconds;

struct Seen {
    std::vector<int> order;
    int at_once = 0;
    int most = 0;
};

Task<void> work(Shard& shard, Places& places, int number, Seen& seen) {
    co_await places.take();
    seen.order.push_back(number);
    seen.most = std::max(seen.most, ++seen.at_once);
    Event never(shard.reactor());
    co_await never.wait(shard.now() + seconds{1});
    --seen.at_once;
    places.leave();
}

TEST(Places, so_many_at_once_and_the_others_in_order) {
    sim::SimWorld world{1};
    Places places(world.shard().reactor(), 2);
    Seen seen;
    for (int number = 0; number < 7; ++number)
        world.spawn(world.shard(), work(world.shard(), places, number, seen));
    ASSERT_TRUE(world.run_until([&] { return world.running_tasks() == 0; }));
    EXPECT_EQ(seen.order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(seen.most, 2);
    EXPECT_EQ(world.elapsed() / seconds{1}, 4);                        // two, two, two, one
    world.spawn(world.shard(), work(world.shard(), places, 7, seen));  // all places are free again
    world.spawn(world.shard(), work(world.shard(), places, 8, seen));
    ASSERT_TRUE(world.run_until([&] { return world.running_tasks() == 0; }));
    EXPECT_EQ(seen.most, 2);
    EXPECT_EQ(world.elapsed() / seconds{1}, 5);
}

}  // namespace
}  // namespace core
