// ReadyWalk: what a path does with each recipient of a queue that it gives up, in slices: a site
// with four million waiting that fails must not stop the loop. add() takes all of a queue at once,
// in O(1); few are handled in place, many by core::kSlice in each turn. Owned by the path, on its
// shard, which goes on meanwhile with what is added to the queue later. Limit: none of its own;
// what is queued is bounded by the memory limit at acceptance.
#pragma once

#include <cstddef>
#include <functional>
#include <list>

#include "core/runtime/reactor.h"
#include "core/runtime/task.h"
#include "relay/path/ready_queue.h"

namespace relay {

class ReadyWalk final : public core::Timer {
  public:
    using Each = std::function<void(Recipient&)>;

    // done: when all were handled that were added.
    ReadyWalk(core::Reactor& reactor, std::function<void()> done)
        : reactor_(reactor), done_(std::move(done)) {}
    ~ReadyWalk() override;

    void add(ReadyQueue& queue, Each each);
    // Everybody who has not been handled yet is handled so instead.
    void handle_all(const Each& each);
    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    core::Task<void> finish();

    void expire() override;

  private:
    struct Batch {
        Each each;
        ReadyQueue queue;
    };

    core::Reactor& reactor_;
    std::function<void()> done_;
    std::list<Batch> batches_;
    std::size_t size_ = 0;
};

}  // namespace relay
