// EventSink: who gets the events of a shard, in the order of their positions. take() is called on
// that shard's thread; it must not wait, and copies what it keeps: the event's texts live as long
// as the call.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "relay/events/event.h"
#include "relay/events/event_text.h"

namespace relay {

class EventSink {
  public:
    virtual ~EventSink() = default;
    virtual void take(const Event& event) = 0;
    // Hands on what is kept back to hand it on together.
    virtual void flush() {}
};

// Keeps everything as text, for tests and simulations; one shard or one thread.
class MemoryEventSink final : public EventSink {
  public:
    void take(const Event& event) override {
        ++records_;
        if (taken_.empty() || taken_.back().size() >= kPiece) taken_.emplace_back();
        append_event(taken_.back(), event);
    }
    // Joined here, which takes long when they are many: not in take(), which a loop calls.
    const std::string& lines() const {
        for (const std::string& each : taken_)
            lines_ += each;
        taken_.clear();
        return lines_;
    }
    std::size_t records() const { return records_; }

  private:
    static constexpr std::size_t kPiece = 64 * 1024;

    mutable std::deque<std::string> taken_;  // not joined yet
    mutable std::string lines_;
    std::size_t records_ = 0;
};

}  // namespace relay
