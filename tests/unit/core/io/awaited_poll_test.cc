#include "core/io/awaited_poll.h"

#include <array>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/runtime/task_group.h"
#include "tests/unit/core/net/rig.h"

namespace core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class AwaitedPollTest : public testing::TestWithParam<std::string> {
  public:
    AwaitedPollTest() { PH_ASSERT(::pipe(ends_.data()) == 0); }
    ~AwaitedPollTest() override {
        for (const int end : ends_)
            ::close(end);
    }

  protected:
    void write_octet() { PH_ASSERT(::write(ends_[1], "x", 1) == 1); }
    int reader() const { return ends_[0]; }

    std::unique_ptr<test::Rig> rig_ = test::make_rig(GetParam());
    Shard& shard_ = rig_->shard();
    AwaitedPoll poll_{shard_};

  private:
    std::array<int, 2> ends_{};
};

Task<void> wait_and_note(AwaitedPoll* poll, int handle, Instant until, bool* returned) {
    co_await poll->readable(handle, until);
    *returned = true;
}

TEST_P(AwaitedPollTest, returns_when_there_is_something_to_read) {
    write_octet();
    rig_->run(poll_.readable(reader()));
    // Again, as nobody has read it.
    rig_->run(poll_.readable(reader(), shard_.now() + seconds{60}));
    EXPECT_FALSE(poll_.stopped());
}

TEST_P(AwaitedPollTest, returns_at_the_time_and_can_wait_again) {
    const Instant until = shard_.reactor().now() + milliseconds{20};
    rig_->run(poll_.readable(reader(), until));
    EXPECT_GE(SystemClock{}.now(), until);
    write_octet();
    rig_->run(poll_.readable(reader()));
}

Task<void> stop_one_that_waits(Shard* shard, AwaitedPoll* poll, int handle, bool* returned) {
    TaskGroup waiting(shard->reactor());
    waiting.spawn(wait_and_note(poll, handle, kNever, returned));
    Event never(shard->reactor());
    co_await never.wait(shard->now() + milliseconds{5});
    PH_ASSERT(!*returned);
    poll->stop();
    co_await waiting.close();
}

TEST_P(AwaitedPollTest, stop_ends_the_wait_and_all_later_ones) {
    bool returned = false;
    rig_->run(stop_one_that_waits(&shard_, &poll_, reader(), &returned));
    EXPECT_TRUE(returned);
    EXPECT_TRUE(poll_.stopped());
    rig_->run(poll_.readable(reader()));
}

INSTANTIATE_TEST_SUITE_P(Backends, AwaitedPollTest, testing::Values("uring", "epoll"),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace core
