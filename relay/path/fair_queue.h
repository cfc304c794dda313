// FairQueue: the recipients of a path that wait for a connection, in the order in which they go:
// first come, first served. Owned by the path, on its shard, which owns the recipients meanwhile.
// After put_back() a recipient is the next again. Who walks through it does so in slices: expire()
// stops when its slice is full, give_up() takes all in O(1). Limit: none of its own; what is queued
// is bounded by the memory limit at acceptance.
#pragma once

#include <cstddef>
#include <vector>

#include "core/runtime/slices.h"
#include "relay/path/ready_queue.h"

namespace relay {

class FairQueue {
  public:
    bool empty() const { return waiting_.empty(); }
    std::size_t size() const { return waiting_.size(); }
    // Whose turn it is. The queue must not be empty.
    Recipient& front() { return waiting_.front(); }
    Recipient& pop_front() { return waiting_.pop_front(); }

    void add(Recipient& recipient) { waiting_.push_back(recipient); }
    // It was taken and not used: it keeps its turn.
    void put_back(Recipient& recipient) { waiting_.push_front(recipient); }

    // The first one and those after it that can share its transaction, `most` of them.
    void take_transaction(std::vector<Recipient*>& taken, std::size_t most) {
        waiting_.take_transaction(taken, most);
    }
    // All of them, in order, to the end of the other one.
    void give_up(ReadyQueue& all) { all.splice_back(waiting_); }

    // See ReadyQueue.
    template <typename IsOver, typename Leave>
    bool expire(IsOver is_over, Leave leave, core::SliceCount& slice) {
        return waiting_.expire(is_over, leave, slice);
    }
    template <typename Visit>
    void for_each_of_first(std::size_t most, Visit visit) {
        waiting_.for_each_of_first(most, visit);
    }

  private:
    ReadyQueue waiting_;
};

}  // namespace relay
