#include "relay/events/event_writer.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/events/event_scene.h"

namespace relay {
namespace {

using namespace std::chrono_literals;

class EventWriterTest : public relay_test::EventScene {
  protected:
    MemoryEventSink sink_;
};

// Keeps where each event stands.
class Positions final : public EventSink {
  public:
    void take(const Event& event) override { all.push_back(event.position); }
    void flush() override { ++flushed; }
    std::vector<EventPosition> all;
    int flushed = 0;
};

TEST_F(EventWriterTest, every_event_has_the_place_after_the_one_before) {
    Positions sink;
    EventWriter writer(sink, reactor_, {.shard = 3, .sequence = 41});
    Message message;
    for (std::size_t i = 0; i < 2 * kMostRecipientsPerRecord + 1; ++i)
        message.recipients.push_back(std::make_unique<Recipient>(message, "a@b.example"));
    writer.rejection({});
    writer.reception(message, {}, {});
    EXPECT_EQ(sink.all, (std::vector<EventPosition>{{3, 42}, {3, 43}, {3, 44}, {3, 45}}));
    EXPECT_EQ(writer.last(), (EventPosition{3, 45}));
    EXPECT_EQ(sink.flushed, 0);
    writer.close();
    EXPECT_EQ(sink.flushed, 1);
}

TEST_F(EventWriterTest, hands_over_at_once_what_it_is_given) {
    EventWriter writer(sink_, reactor_);
    Message message;
    message.recipients.push_back(std::make_unique<Recipient>(message, "a@b.example"));
    EXPECT_EQ(writer.reception_record(message, 0, {}, {}), 1U);
    writer.rejection({});
    EXPECT_EQ(sink_.records(), 2U);
    EXPECT_EQ(std::ranges::count(sink_.lines(), '\n'), 2);
}

TEST_F(EventWriterTest, stamps_the_time_of_the_shard) {
    EventWriter writer(sink_, reactor_);
    pass(1s);
    writer.rejection({});
    writer.close();
    EXPECT_NE(sink_.lines().find("\"timestamp\":1795383001,"), std::string::npos);
}

TEST_F(EventWriterTest, an_outcome_comes_with_its_verdict) {
    EventWriter writer(sink_, reactor_);
    Message message;
    message.recipients.push_back(std::make_unique<Recipient>(message, "a@b.example"));
    Recipient& recipient = *message.recipients[0];
    Disposition done;
    done.outcome = Outcome::delivered;
    done.reply = {250, {}, "550 user unknown"};
    done.command = "RCPT";
    recipient.set_disposition(done);
    writer.outcome(recipient, "", {});
    recipient.change_outcome(Outcome::bounced);
    writer.outcome(recipient, "", {"InvalidRecipient", BounceKind::hard, true, false});
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
