#include "relay/events/event_lines.h"

#include <algorithm>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tests/unit/events/event_scene.h"

namespace relay {
namespace {

using namespace std::chrono_literals;

class Batches final : public EventLineSink {
  public:
    void take(EventBatch batch) override {
        records += batch.records;
        lines += batch.lines;
    }
    std::string lines;
    std::size_t records = 0;
};

class EventLinesTest : public relay_test::EventScene {
  protected:
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
