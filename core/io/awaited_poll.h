// AwaitedPoll: a coroutine waits until a descriptor can be read from, as a signalfd or a listening
// socket that the backend does not serve otherwise. One wait at a time; one shard, whose backend
// outlives it. After stop() every wait ends at once. Whoever waits must have returned before this
// is destroyed.
#pragma once

#include <poll.h>

#include "core/io/io_backend.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"

namespace core {

class AwaitedPoll final : private Operation {
  public:
    explicit AwaitedPoll(Shard& shard) : shard_(shard), completed_(shard.reactor()) {}

    // Returns when there is something to read or an error to see, at the time, or after stop().
    Task<void> readable(Handle handle, Instant until = kNever) {
        if (stopped_) co_return;
        shard_.io().start_poll(handle, POLLIN, *this);
        while (in_flight()) {
            if (co_await completed_.wait(until)) continue;
            shard_.io().cancel(*this);
            until = kNever;
        }
    }
    void stop() {
        stopped_ = true;
        shard_.io().cancel(*this);
    }
    bool stopped() const { return stopped_; }

  private:
    void complete(const Completion&) override { completed_.notify_all(); }

    Shard& shard_;
    Event completed_;
    bool stopped_ = false;
};

}  // namespace core
