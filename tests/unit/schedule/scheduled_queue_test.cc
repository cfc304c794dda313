#include "relay/schedule/scheduled_queue.h"

#include <memory>
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

  protected:
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

}  // namespace
}  // namespace relay
