#include "relay/events/event_lines.h"

#include <algorithm>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "core/runtime/clock.h"

namespace relay {
namespace {

using namespace std::chrono_literals;

class NoEvents final : public core::EventSource {
  public:
    void wait(core::Instant) override {}
    void wake() override {}
};

class Batches final : public EventLineSink {
  public:
    void take(EventBatch batch) override {
        records += batch.records;
        lines += batch.lines;
    }
    std::string lines;
    std::size_t records = 0;
};

class EventLinesTest : public testing::Test {
  protected:
    void pass(core::Duration time) {
        clock_.advance_to(clock_.now() + time);
        reactor_.turn(false);  // sees the time
        reactor_.turn(false);  // expires timers
    }

    core::VirtualClock clock_{core::WallTime(core::Duration(1'795'383'000'000'000'000))};
    NoEvents source_;
    core::Reactor reactor_{clock_, source_};
    Batches sink_;
};

TEST_F(EventLinesTest, hands_over_after_a_while) {
    EventLines lines(sink_, reactor_);
    lines.take({});
    lines.take({});
    pass(150ms);
    EXPECT_EQ(sink_.records, 0U);
    pass(60ms);
    EXPECT_EQ(sink_.records, 2U);
    EXPECT_EQ(std::ranges::count(sink_.lines, '\n'), 2);
    EXPECT_EQ(reactor_.timers().size(), 0U);  // idle: nothing armed
    lines.take({});
    pass(250ms);
    EXPECT_EQ(sink_.records, 3U);
}

TEST_F(EventLinesTest, hands_over_a_full_buffer_at_once) {
    EventLines lines(sink_, reactor_);
    std::size_t added = 0;
    while (sink_.records == 0) {
        lines.take({});
        ASSERT_LT(++added, 10'000U);
    }
    EXPECT_EQ(sink_.records, added);
    EXPECT_GE(sink_.lines.size(), EventLines::kFlushAt);
    EXPECT_EQ(reactor_.timers().size(), 0U);
}

TEST_F(EventLinesTest, flushing_hands_over_the_rest) {
    EventLines lines(sink_, reactor_);
    lines.take({});
    lines.flush();
    EXPECT_EQ(sink_.records, 1U);
    EXPECT_EQ(reactor_.timers().size(), 0U);
    lines.flush();
    EXPECT_EQ(sink_.records, 1U);
}

}  // namespace
}  // namespace relay
