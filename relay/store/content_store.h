// ContentStore: which contents of one shard's messages are in memory. While there is room all of
// them are; above kFull of the limit contents leave memory (the spool has them): first those of
// deferred messages, then the newest, which a queue needs last. They are read back when a path is
// about to send them. A content that somebody holds stays. Owned by the Origin, on its shard.
// Without a spool nothing ever leaves. Limit: `limit` octets of contents and what a queued message
// takes beside; has_room() says no above it.
#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>

#include "core/base/intrusive_list.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"
#include "metrics/shard_metrics.h"
#include "relay/message/message.h"

namespace relay {

class ContentStore {
  public:
    ContentStore(core::Shard& shard, metrics::ShardMetrics& metrics, std::size_t limit)
        : shard_(shard), metrics_(metrics), limit_(limit) {}
    ~ContentStore();

    bool has_room(std::size_t octets) const { return memory_ + octets <= limit_; }
    std::size_t memory() const { return memory_; }

    // A message is queued, with its content in memory or not, or is no more.
    void add(Message& message);
    void remove(Message& message);
    // It waits for a time: its content is the first to leave.
    void deferred(Message& message);

    // Brings the content into memory if need be, and holds it. False: it cannot be read.
    core::Task<bool> hold(Message& message);

  private:
    // Percent of the limit; the rest is for what is not counted: buffers, and the allocator's
    // slack.
    static constexpr std::size_t kFull = 75;
    static constexpr std::size_t kMostLookedAt = 64;  // contents, in one search

    std::size_t full() const { return limit_ / 100 * kFull; }
    void make_room();
    bool evict(Message& message);
    void count(std::size_t before, std::size_t after);

    core::Shard& shard_;
    metrics::ShardMetrics& metrics_;
    std::size_t limit_;
    std::size_t memory_ = 0;
    core::IntrusiveList<Message, ResidentTag> fresh_;  // the newest last
    core::IntrusiveList<Message, ResidentTag> deferred_;
    std::unordered_map<Message*, std::unique_ptr<core::Event>> loads_;
};

}  // namespace relay
