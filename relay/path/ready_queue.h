// ReadyQueue: a FIFO of recipients of one path. Owned by the path or a part of it, on its shard,
// which owns the recipients meanwhile. Recipients of one message and domain arrive side by side, so
// a transaction for several of them is taken from the front as it is. Limit: none of its own; what
// is queued is bounded by the memory limit at acceptance.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "core/base/intrusive_list.h"
#include "core/runtime/slices.h"
#include "relay/message/message.h"

namespace relay {

class ReadyQueue {
  public:
    bool empty() const { return recipients_.empty(); }
    std::size_t size() const { return size_; }
    Recipient& front() { return recipients_.front(); }

    void push_back(Recipient& recipient) {
        recipients_.push_back(recipient);
        ++size_;
    }
    // For what was taken and not used: keeps its turn.
    void push_front(Recipient& recipient) {
        recipients_.push_front(recipient);
        ++size_;
    }
    Recipient& pop_front() {
        --size_;
        return recipients_.pop_front();
    }

    // All of the other one, after what is here.
    void splice_back(ReadyQueue& other) {
        recipients_.splice_back(other.recipients_);
        size_ += std::exchange(other.size_, 0);
    }

    template <typename Visit>
    void for_each_of_first(std::size_t most, Visit visit) {
        recipients_.for_each_while([&](Recipient& recipient) {
            if (most == 0) return false;
            --most;
            visit(recipient);
            return true;
        });
    }

    // Takes from the front while is_over(message), and gives each to leave(recipient). False: the
    // slice is full and some are left.
    template <typename IsOver, typename Leave>
    bool expire(IsOver is_over, Leave leave, core::SliceCount& slice) {
        while (!empty() && is_over(*front().message)) {
            if (slice.full()) return false;
            leave(pop_front());
        }
        return true;
    }

    // Takes the first recipient and those after it that can share its transaction: the same
    // message, the same recipient domain; `most` of them. The queue must not be empty.
    void take_transaction(std::vector<Recipient*>& taken, std::size_t most);

  private:
    core::IntrusiveList<Recipient, RecipientQueueTag> recipients_;
    std::size_t size_ = 0;
};

}  // namespace relay
