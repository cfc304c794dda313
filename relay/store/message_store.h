// MessageStore: the messages of one shard that have a recipient which is not final, and which of
// their contents are in memory. It makes messages (begin), keeps them from add() to take_out(), and
// frees them in slices. While there is room all contents are in memory; above kFull of the limit
// contents leave it (the spool has them): first those of deferred messages, then the newest, which
// a queue needs last. hold() brings a content back when a path is about to send it, and a content
// that somebody holds stays. Without a spool nothing ever leaves.
// Owned by the Origin, on its shard. Limit: `limit` octets of contents and what a queued message
// takes beside; has_room() says no above it.
#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>

#include "core/base/intrusive_list.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"
#include "core/runtime/task_group.h"
#include "metrics/shard_metrics.h"
#include "relay/message/message.h"
#include "relay/spool/spool.h"

namespace relay {

class MessageStore {
  public:
    // spool: where messages are that are added; null: durability "memory".
    MessageStore(core::Shard& shard, metrics::ShardMetrics& metrics, std::size_t limit,
                 Spool* spool);
    ~MessageStore();

    // ---- messages
    // A new one with id, time and origin; the caller's until add().
    std::unique_ptr<Message> begin();
    // It is queued; with a spool: committed to it, or found there.
    Message& add(std::unique_ptr<Message> message);
    // All its recipients are final, or forgotten. Null: the spool is copying it forward; it stays,
    // and the spool calls MessageKeeper::free_moved() when it has.
    std::unique_ptr<Message> take_out(Message& message);
    // Frees what is not queued; a message for many in several turns.
    void free(std::unique_ptr<Message> message);
    core::Task<void> free_in_slices(std::unique_ptr<Message> message);
    std::size_t size() const { return size_; }
    Message* any();  // null: there is none
    // Null: it is not queued here. Looks through one segment of the spool in each step; without a
    // spool through the oldest. At most kMostLookedFor messages of each.
    core::Task<Message*> find(MessageId id);
    // When the oldest one was made, as near as the spool can tell; WallTime{}: there is none.
    core::WallTime oldest();
    // Awaits what is being freed.
    core::Task<void> close();

    // ---- memory
    bool has_room(std::size_t octets) const { return memory_ + octets <= limit_; }
    std::size_t memory() const { return memory_; }

    // ---- contents
    // The message waits for a time: its content is the first to leave.
    void deferred(Message& message);
    // Brings the content into memory if need be, and holds it. False: it cannot be read.
    core::Task<bool> hold(Message& message);
    static void let_go(Message& message) { message.place.holders.let_go(); }

  private:
    // Percent of the limit; the rest is for what is not counted: buffers, and the allocator's
    // slack.
    static constexpr std::size_t kFull = 75;
    static constexpr std::size_t kMostLookedFor = 100'000;  // messages of a segment
    static constexpr std::size_t kMostLookedAt = 64;        // contents, in one search

    std::size_t full() const { return limit_ / 100 * kFull; }
    void make_room();
    bool evict(Message& message);
    void count(std::size_t before, std::size_t after);

    core::Shard& shard_;
    metrics::ShardMetrics& metrics_;
    Spool* spool_;
    MessageIdGenerator ids_;
    std::size_t limit_;
    std::size_t memory_ = 0;
    // Without a spool: oldest first. With one, a message is on the list of its segment.
    core::IntrusiveList<Message, MessageListTag> unspooled_;
    std::size_t size_ = 0;
    core::IntrusiveList<Message, ResidentTag> fresh_;  // the newest last
    core::IntrusiveList<Message, ResidentTag> deferred_;
    std::unordered_map<Message*, std::unique_ptr<core::Event>> loads_;
    core::TaskGroup freeing_;
};

}  // namespace relay
