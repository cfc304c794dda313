// EventLines: makes text of a shard's events for a reader that wants text. It collects lines in a
// buffer and hands that over once it holds kFlushAt octets, or kFlushAfter after the first event in
// it: so an idle shard needs no timer and a busy one hands over seldom. One per shard, on its
// thread. flush() before it ends. Limit: the buffer is at most kFlushAt and one line; what the
// EventLineSink does when it is full is its own.
#pragma once

#include <chrono>
#include <cstddef>

#include "core/runtime/reactor.h"
#include "core/runtime/timer_set.h"
#include "relay/events/event_line_sink.h"
#include "relay/events/event_sink.h"

namespace relay {

class EventLines final : public EventSink {
  public:
    static constexpr std::size_t kFlushAt = 64 * 1024;
    static constexpr core::Duration kFlushAfter = std::chrono::milliseconds(200);

    EventLines(EventLineSink& sink, core::Reactor& reactor) : sink_(sink), reactor_(reactor) {}
    EventLines(const EventLines&) = delete;
    EventLines& operator=(const EventLines&) = delete;
    ~EventLines() override;  // nothing is left to hand over

    void take(const Event& event) override;
    void flush() override;

  private:
    class FlushTimer final : public core::Timer {
      public:
        explicit FlushTimer(EventLines& lines) : lines_(lines) {}
        void expire() override { lines_.flush(); }

      private:
        EventLines& lines_;
    };

    EventLineSink& sink_;
    core::Reactor& reactor_;
    FlushTimer timer_{*this};
    EventBatch batch_;
};

}  // namespace relay
