#include "relay/path/connection_pool.h"

#include <memory>

#include <gtest/gtest.h>

namespace relay {
namespace {

using Stage = Worker::Stage;

class FakeWorker final : public Worker {
  public:
    FakeWorker() : Worker(std::nullopt) {}
    void wake() override { ++woken; }
    void retire() override { ++retired; }
    void abort() override { ++aborted; }
    const std::string& endpoint() const override { return host; }
    std::size_t completed() const override { return messages; }

    int woken = 0;
    int retired = 0;
    int aborted = 0;
    std::string host;
    std::size_t messages = 0;
};

class ConnectionPoolTest : public testing::Test {
  protected:
    void TearDown() override {
        for (const auto& worker : workers_) {
            if (worker->stage() == Stage::idle || worker->stage() == Stage::woken) {
                pool_.becomes_busy(*worker);
            }
            pool_.remove(*worker);
        }
    }
    FakeWorker& opening() {
        workers_.push_back(std::make_unique<FakeWorker>());
        pool_.add(*workers_.back());
        return *workers_.back();
    }
    FakeWorker& busy() {
        FakeWorker& worker = opening();
        pool_.established(worker);
        return worker;
    }
    FakeWorker& idle() {
        FakeWorker& worker = busy();
        pool_.becomes_idle(worker);
        return worker;
    }

    ConnectionPool pool_;
    std::vector<std::unique_ptr<FakeWorker>> workers_;
};

constexpr std::size_t kEach = ConnectionPool::kBacklogPerConnection;

TEST_F(ConnectionPoolTest, a_backlog_wants_one_for_every_eight_recipients_up_to_the_limit) {
    EXPECT_FALSE(pool_.lacks(0, 10));
    EXPECT_TRUE(pool_.lacks(1, 10));
    opening();
    EXPECT_FALSE(pool_.lacks(kEach, 10));
    EXPECT_TRUE(pool_.lacks(kEach + 1, 10));
    EXPECT_FALSE(pool_.lacks(100 * kEach, 1));
    busy();
    EXPECT_EQ(pool_.size(), 2U);
    EXPECT_EQ(pool_.opening(), 1U);
    idle();
    EXPECT_FALSE(pool_.lacks(100 * kEach, 10));  // one is idle: it comes first
}

TEST_F(ConnectionPoolTest, the_one_used_last_is_woken_first_and_not_more_than_the_backlog_needs) {
    FakeWorker& first = idle();
    FakeWorker& second = idle();
    FakeWorker& third = idle();
    pool_.wake_for(1);
    EXPECT_EQ(third.woken, 1);
    EXPECT_EQ(third.stage(), Stage::woken);
    pool_.wake_for(kEach);  // it looks after these, once it runs
    EXPECT_EQ(second.woken, 0);
    pool_.wake_for(kEach + 1);
    EXPECT_EQ(second.woken, 1);
    EXPECT_EQ(first.woken, 0);
    pool_.becomes_busy(third);
    pool_.wake_for(kEach + 1);
    EXPECT_EQ(first.woken, 1);
    EXPECT_EQ(pool_.idle(), 0U);
}

TEST_F(ConnectionPoolTest, who_stops_waiting_without_being_woken_is_no_longer_idle) {
    FakeWorker& worker = idle();
    pool_.becomes_busy(worker);  // the server closed it
    EXPECT_EQ(pool_.idle(), 0U);
    pool_.wake_for(100);
    EXPECT_EQ(worker.woken, 0);
}

TEST_F(ConnectionPoolTest, an_idle_one_makes_place) {
    EXPECT_FALSE(pool_.retire_idle());
    FakeWorker& worker = idle();
    EXPECT_TRUE(pool_.retire_idle());
    EXPECT_EQ(worker.retired, 1);
    EXPECT_FALSE(pool_.retire_idle());
}

TEST_F(ConnectionPoolTest, a_lower_limit_retires_those_that_came_last) {
    FakeWorker& first = busy();
    FakeWorker& second = idle();
    FakeWorker& third = opening();
    pool_.retire_beyond(1);
    EXPECT_EQ(first.retired, 0);
    EXPECT_EQ(second.retired, 1);
    EXPECT_EQ(third.retired, 1);
    pool_.retire_all();
    EXPECT_EQ(first.retired, 1);
}

TEST_F(ConnectionPoolTest, at_the_end_idle_ones_wake_and_opening_ones_are_cut_off) {
    FakeWorker& one = opening();
    FakeWorker& two = busy();
    FakeWorker& three = idle();
    pool_.wake_all();
    pool_.abort_opening();
    EXPECT_EQ(three.woken, 1);
    EXPECT_EQ(one.aborted, 1);
    EXPECT_EQ(two.aborted + three.aborted, 0);
    pool_.abort_all();
    EXPECT_EQ(two.aborted, 1);
}

TEST_F(ConnectionPoolTest, it_knows_whether_another_session_carried_more) {
    FakeWorker& worker = busy();
    worker.host = "mx.example:25";
    worker.messages = 5;
    EXPECT_TRUE(pool_.carries_more("mx.example:25", 4));
    EXPECT_FALSE(pool_.carries_more("mx.example:25", 5));
    EXPECT_FALSE(pool_.carries_more("other.example:25", 4));
}

TEST_F(ConnectionPoolTest, a_step_out_of_order_is_a_bug) {
    FakeWorker& worker = opening();
    EXPECT_DEATH(pool_.becomes_idle(worker), "busy");
    pool_.established(worker);
    EXPECT_DEATH(pool_.established(worker), "opening");
    EXPECT_DEATH(pool_.becomes_busy(worker), "idle");
}

}  // namespace
}  // namespace relay
