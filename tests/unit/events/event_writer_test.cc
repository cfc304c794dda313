#include "relay/events/event_writer.h"

#include <algorithm>

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

class EventWriterTest : public testing::Test {
  protected:
    void pass(core::Duration time) {
        clock_.advance_to(clock_.now() + time);
        reactor_.turn(false);  // sees the time
        reactor_.turn(false);  // expires timers
    }

    core::VirtualClock clock_{core::WallTime(core::Duration(1'795'383'000'000'000'000))};
    NoEvents source_;
    core::Reactor reactor_{clock_, source_};
    MemoryEventSink sink_;
};

TEST_F(EventWriterTest, HandsOverAfterAWhile) {
    EventWriter writer(sink_, reactor_);
    writer.rejection({});
    writer.rejection({});
    pass(150ms);
    EXPECT_EQ(sink_.records(), 0U);
    pass(60ms);
    EXPECT_EQ(sink_.records(), 2U);
    EXPECT_EQ(std::count(sink_.lines().begin(), sink_.lines().end(), '\n'), 2);
    EXPECT_EQ(reactor_.timers().size(), 0U);  // idle: nothing armed
    writer.rejection({});
    pass(250ms);
    EXPECT_EQ(sink_.records(), 3U);
    writer.close();
}

TEST_F(EventWriterTest, HandsOverAFullBufferAtOnce) {
    EventWriter writer(sink_, reactor_);
    std::size_t added = 0;
    while (sink_.records() == 0) {
        writer.rejection({});
        ASSERT_LT(++added, 10'000U);
    }
    EXPECT_EQ(sink_.records(), added);
    EXPECT_GE(sink_.lines().size(), EventWriter::kFlushAt);
    EXPECT_EQ(reactor_.timers().size(), 0U);
    writer.close();
}

TEST_F(EventWriterTest, ClosingHandsOverTheRest) {
    EventWriter writer(sink_, reactor_);
    writer.rejection({});
    writer.close();
    EXPECT_EQ(sink_.records(), 1U);
    EXPECT_EQ(reactor_.timers().size(), 0U);
    writer.close();
    EXPECT_EQ(sink_.records(), 1U);
}

TEST_F(EventWriterTest, StampsTheTimeOfTheShard) {
    EventWriter writer(sink_, reactor_);
    pass(1s);
    writer.rejection({});
    writer.close();
    EXPECT_NE(sink_.lines().find("\"timestamp\":1795383001,"), std::string::npos);
}

TEST_F(EventWriterTest, ClassifiesFailuresOnly) {
    EventWriter writer(sink_, reactor_);
    Message message;
    message.recipients.push_back(std::make_unique<Recipient>(message, "a@b.example"));
    Recipient& recipient = *message.recipients[0];
    Disposition done;
    done.outcome = Outcome::delivered;
    done.reply.code = 250;
    done.command = "RCPT";
    done.reply.text = "550 user unknown";
    recipient.set_disposition(done);
    writer.outcome(recipient, "");
    done.outcome = Outcome::bounced;
    done.reply.code = 550;
    recipient.set_disposition(done);
    writer.outcome(recipient, "");
    writer.close();
    const std::string& lines = sink_.lines();
    const std::string first = lines.substr(0, lines.find('\n'));
    EXPECT_TRUE(first.contains(R"("bounce_classification":null,"bounce":null)")) << first;
    const std::string second = lines.substr(lines.find('\n') + 1);
    EXPECT_TRUE(second.contains(R"("bounce_classification":"InvalidRecipient","bounce":)"
                                R"({"kind":"hard","source":"remote","suppress":true})"))
        << second;
}

}  // namespace
}  // namespace relay
