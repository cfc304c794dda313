// ScheduledQueue: recipients that wait for a time. One per origin shard, which owns the recipients.
// A recipient costs nothing here but its own link: times are rounded up to slots of kSlot, a slot
// is a list, and one timer stands for the earliest slot. What comes due at once is handed out in
// slices of core::kSlice, one in each turn of the loop, so that others get their turn. Limit: as
// many slots as there are distinct times within max_age; recipients are bounded by the memory limit
// at acceptance.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>

#include "core/runtime/reactor.h"
#include "core/runtime/task.h"
#include "relay/message/message.h"

namespace relay {

// What a visitor of ScheduledQueue::sift() says of a recipient: it stays, it is the visitor's now,
// or it stays and so do all that were not visited yet.
enum class Sifted : std::uint8_t { stays, taken, stop };

class ScheduledQueue {
  public:
    static constexpr core::Duration kSlot = std::chrono::milliseconds{100};

    // due is called for each recipient whose time has come, in the order they were added.
    ScheduledQueue(core::Reactor& reactor, std::function<void(Recipient&)> due);
    ~ScheduledQueue();

    void add(Recipient& recipient, core::Duration delay);
    // Shows each recipient that is here now once, the first due first, in slices. What comes
    // meanwhile is not shown. One at a time; it must have ended before clear().
    core::Task<void> sift(std::function<Sifted(Recipient&)> visit);
    // Gives up all, in slices, at the end: visit(Recipient&). Nothing may be added meanwhile.
    core::Task<void> clear(std::function<void(Recipient&)> visit);
    std::size_t size() const { return size_; }

  private:
    using List = core::IntrusiveList<Recipient, RecipientQueueTag>;
    class Alarm final : public core::Timer {
      public:
        explicit Alarm(ScheduledQueue& queue) : queue_(queue) {}
        void expire() override { queue_.ring(); }

      private:
        ScheduledQueue& queue_;
    };

    void ring();
    void arm();

    core::Reactor& reactor_;
    std::function<void(Recipient&)> due_;
    std::map<std::int64_t, List> slots_;
    std::size_t size_ = 0;
    Alarm alarm_;
};

}  // namespace relay
