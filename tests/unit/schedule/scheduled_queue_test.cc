#include "relay/schedule/scheduled_queue.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/runtime/slices.h"
#include "tests/sim/sim_world.h"

namespace relay {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ScheduledQueueTest : public testing::Test {
  public:
    ~ScheduledQueueTest() override {
        EXPECT_TRUE(world_.run(world_.shard(), queue_.clear([](Recipient&) {})));
    }

  public:
    Recipient& add(core::Duration delay) {
        recipients_.push_back(std::make_unique<Recipient>(message_, "u@one.example"));
        recipients_.back()->index = static_cast<std::uint32_t>(recipients_.size());
        queue_.add(*recipients_.back(), delay);
        return *recipients_.back();
    }

    sim::SimWorld world_{3};
    Message message_;
    std::vector<std::unique_ptr<Recipient>> recipients_;
    std::vector<std::uint32_t> due_;
    ScheduledQueue queue_{world_.shard().reactor(),
                          [this](Recipient& recipient) { due_.push_back(recipient.index); }};
};

TEST_F(ScheduledQueueTest, hands_out_in_time_and_in_order) {
    add(seconds{2});
    add(seconds{1});
    add(seconds{2});
    world_.run_for(milliseconds{900});
    EXPECT_TRUE(due_.empty());
    world_.run_for(milliseconds{300});
    EXPECT_EQ(due_, (std::vector<std::uint32_t>{2}));
    world_.run_for(seconds{1});
    EXPECT_EQ(due_, (std::vector<std::uint32_t>{2, 1, 3}));
}

// M7: what comes due at once is handed out in slices, a turn of the loop between them.
TEST_F(ScheduledQueueTest, many_that_are_due_at_once_come_in_slices) {
    constexpr std::size_t kDue = 10'000;
    for (std::size_t i = 0; i < kDue; ++i)
        add(seconds{1} + milliseconds{i % 500});
    std::size_t before = 0;
    std::size_t most = 0;
    EXPECT_TRUE(world_.run_until([&] {
        most = std::max(most, due_.size() - before);
        before = due_.size();
        return before == kDue;
    }));
    EXPECT_LE(most, core::kSlice);
    EXPECT_LT(world_.elapsed(), seconds{2});
    EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(ScheduledQueueTest, sift_shows_each_once_in_slices_and_keeps_what_is_not_taken) {
    constexpr std::size_t kMany = 5'000;
    for (std::size_t i = 0; i < kMany; ++i)
        add(seconds{60} + seconds{i % 7});
    std::vector<std::uint32_t> seen;
    std::vector<Recipient*> taken;
    std::size_t before = 0;
    std::size_t most = 0;
    bool done = false;
    const auto sift = [](ScheduledQueueTest* test, std::vector<std::uint32_t>* shown,
                         std::vector<Recipient*>* out, bool* over) -> core::Task<void> {
        co_await test->queue_.sift([test, shown, out](Recipient& recipient) {
            shown->push_back(recipient.index);
            if (shown->size() == 1) test->add(seconds{61});  // what comes later is not shown
            if (recipient.index % 2 == 0) return Sifted::stays;
            out->push_back(&recipient);
            return Sifted::taken;
        });
        *over = true;
    };
    world_.spawn(world_.shard(), sift(this, &seen, &taken, &done));
    EXPECT_TRUE(world_.run_until([&] {
        most = std::max(most, seen.size() - before);
        before = seen.size();
        return done;
    }));
    EXPECT_LE(most, core::kSlice);
    EXPECT_EQ(seen.size(), kMany);
    EXPECT_EQ(std::set<std::uint32_t>(seen.begin(), seen.end()).size(), kMany);
    EXPECT_EQ(taken.size(), kMany / 2);
    EXPECT_EQ(queue_.size(), kMany / 2 + 1);
    world_.run_for(seconds{90});
    EXPECT_EQ(due_.size(), kMany / 2 + 1);
}

TEST_F(ScheduledQueueTest, a_sift_that_stops_leaves_everything_where_it_was) {
    for (std::size_t i = 0; i < 10; ++i)
        add(seconds{10 + i});
    std::size_t shown = 0;
    const auto sift = [](ScheduledQueue* queue, std::size_t* count) -> core::Task<void> {
        co_await queue->sift(
            [count](Recipient&) { return ++*count == 3 ? Sifted::stop : Sifted::stays; });
    };
    EXPECT_TRUE(world_.run(world_.shard(), sift(&queue_, &shown)));
    EXPECT_EQ(shown, 3U);
    EXPECT_EQ(queue_.size(), 10U);
    world_.run_for(seconds{30});
    EXPECT_EQ(due_.size(), 10U);
}

}  // namespace
}  // namespace relay
