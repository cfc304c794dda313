// EventSink: where a shard's event lines go. EventLog writes them to files on a thread of its own;
// a simulation keeps them in memory. take() may be called by any shard's thread, must not block for
// longer than it takes to move a string, and owns the lines from then on.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <utility>

namespace relay {

struct EventBatch {
    std::string lines;        // whole lines
    std::size_t records = 0;  // how many
};

class EventSink {
  public:
    virtual ~EventSink() = default;
    virtual void take(EventBatch batch) = 0;
};

// Keeps everything; one shard or one thread.
class MemoryEventSink final : public EventSink {
  public:
    void take(EventBatch batch) override {
        records_ += batch.records;
        taken_.push_back(std::move(batch.lines));
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
    mutable std::deque<std::string> taken_;  // not joined yet
    mutable std::string lines_;
    std::size_t records_ = 0;
};

}  // namespace relay
