// EventLineSink: where event lines of all shards go. EventLog writes them to files on a thread of
// its own. take() may be called by any shard's thread, must not block for longer than it takes to
// move a string, and owns the lines from then on.
#pragma once

#include <cstddef>
#include <string>

namespace relay {

struct EventBatch {
    std::string lines;        // whole lines
    std::size_t records = 0;  // how many
};

class EventLineSink {
  public:
    virtual ~EventLineSink() = default;
    virtual void take(EventBatch batch) = 0;
};

}  // namespace relay
