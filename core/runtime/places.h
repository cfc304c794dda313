// Places: a fair semaphore. At most so many tasks hold a place; the others wait FIFO. A task calls
// take() before its work and leave() after it. leave() hands the place to the task that waited
// longest, so that a newcomer cannot take it. One shard; outlives whoever holds a place or waits
// for one.
#pragma once

#include <cstddef>

#include "core/base/assert.h"
#include "core/runtime/event.h"
#include "core/runtime/reactor.h"
#include "core/runtime/task.h"

namespace core {

class Places {
  public:
    Places(Reactor& reactor, std::size_t most) : most_(most), free_(reactor) {}

    Task<void> take() {
        if (taken_ < most_) {
            ++taken_;
        } else {
            co_await free_.wait();  // the place is handed over: taken_ does not fall in between
        }
    }

    void leave() {
        PH_ASSERT(taken_ > 0);
        if (free_.has_waiters()) return free_.notify_one();
        --taken_;
    }

  private:
    const std::size_t most_;
    std::size_t taken_ = 0;
    Event free_;
};

}  // namespace core
