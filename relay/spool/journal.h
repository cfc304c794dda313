// Journal: the log of one shard. A message is committed when commit() returns; outcomes are noted
// and become durable with the next batch, awaited by nobody. A batch is one synced write. When none
// is under way, what waits is written at once, so that a lone client waits for one write; beside
// batches under way another begins when a crowd waits, so that the disk always has something to do
// and a write is shared by many. What lives on in the oldest segment when too much after it is
// dead is copied forward (compaction). Owned by the shard's Spool, on its thread.
// Limits: kWriters batches under way; kBatchOctets a batch, a quarter of a segment at most, but one
// record may be larger;
// kMostNoted octets of outcomes not written yet, beyond which the newest are dropped and counted (a
// crash then repeats deliveries).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/intrusive_list.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"
#include "metrics/shard_metrics.h"
#include "relay/message/message.h"
#include "relay/spool/batch.h"
#include "relay/spool/record.h"
#include "relay/spool/segment_store.h"

namespace relay {

// What the journal needs of the owner of the messages, the Origin.
class MessageKeeper {
  public:
    virtual ~MessageKeeper() = default;
    // Brings the content into memory and holds it; false: it cannot be read.
    virtual core::Task<bool> hold_content(Message& message) = 0;
    virtual void let_content_go(Message& message) = 0;
    // It became final while it was being moved and may be freed now.
    virtual void free_moved(Message& message) = 0;
};

struct JournalStats {
    std::uint64_t batches = 0;
    std::uint64_t octets = 0;  // written, with headers and padding
    std::uint64_t messages = 0;
    std::uint64_t outcomes = 0;
    std::uint64_t outcomes_dropped = 0;
    std::uint64_t moved = 0;  // octets of messages copied forward
};

class Journal {
  public:
    static constexpr std::size_t kBatchOctets = Batch::kBuffer;
    static constexpr std::size_t kWriters = 3;
    static constexpr std::size_t kMostNoted = 64 << 20;
    // So many messages begin a batch beside one that is under way.
    static constexpr std::size_t kCrowd = 4;
    // Outcomes wait so long for a message to share its write.
    static constexpr core::Duration kNotedPatience = std::chrono::milliseconds{5};
    static constexpr core::Duration kNoSpacePatience = std::chrono::seconds{1};
    static constexpr std::uint64_t kSlack = 2;                     // sealed octets per live octet
    static constexpr std::uint64_t kCompactionRate = 64ULL << 20;  // octets a second
    static constexpr std::size_t kCompactionStep = 1 << 20;        // octets moved at a time
    static constexpr std::size_t kMostMoved = 1000;                // messages moved at a time
    static constexpr std::size_t kCheckStep = 1 << 20;             // octets checked in one step

    Journal(core::Shard& shard, core::Disk& disk, SpoolSpace& space, metrics::ShardMetrics& metrics,
            JournalOptions options);
    ~Journal();

    core::Result<void> open() { return store_.open(); }
    void start(MessageKeeper& keeper);
    // Recovery is over: segments of earlier runs may be given up and compacted.
    void recovered();
    // Writes what is pending, then ends. Nothing may be committed any more.
    core::Task<void> close();

    // True: the message is durable and message.place is set. False: it is not known to be.
    core::Task<bool> commit(Message& message);
    void note(const OutcomeRecord& outcome);
    // The message is final. False: it is being moved; free_moved() will come.
    bool forget(Message& message);

    // A message's content, read back and checked; null when it cannot be read or is damaged.
    core::Task<std::unique_ptr<char[]>> read_content(Message& message);

    SegmentStore& store() { return store_; }
    const JournalStats& stats() const { return stats_; }
    // Outcomes that no batch has taken yet.
    std::size_t noted() const { return noted_.count(); }

  private:
    class Committing;

    // ---- batches
    core::Task<void> write_batches(std::size_t writer);
    core::Task<void> wait_for_work();
    bool work_due() const;
    core::Task<bool> write_batch(Batch& batch);
    std::size_t choose(Batch& batch);
    core::Task<Segment*> find_room(Batch& batch, std::size_t octets);
    void give_up(Batch& batch);
    std::size_t most_at_once(std::size_t octets) const;
    std::uint32_t unfinished_before(const Segment& segment) const;
    void settle(Batch& batch, const core::IoResult<void>& written);
    bool anything_to_write() const { return pending_count_ > 0 || !noted_.empty(); }

    // ---- house-keeping
    core::Task<void> keep_house();
    bool too_slack();
    core::Task<void> move_survivors();
    core::Task<std::size_t> move_some(Segment& oldest);
    core::Task<void> move_one(Message* message, std::size_t* octets);

    core::Shard& shard_;
    SpoolSpace& space_;
    metrics::ShardMetrics& metrics_;
    SegmentStore store_;
    MessageKeeper* keeper_ = nullptr;
    JournalStats stats_;

    core::IntrusiveList<PendingMessage, PendingTag> pending_;
    std::size_t pending_count_ = 0;
    NotedOutcomes noted_;
    core::Instant noted_since_{};

    std::array<Batch, kWriters> batches_;  // one per writer
    std::vector<const Batch*> under_way_;  // oldest first
    bool choosing_ = false;                // a writer is taking its turn

    core::Event work_;
    core::Event landed_;  // a batch under way has ended
    core::Event house_work_;
    core::TaskGroup writers_;
    core::TaskGroup house_;
    core::Instant compact_after_{};
    bool recovered_ = false;
    bool closing_ = false;
    bool ending_ = false;  // the house is closed: the writers end when all is written
};

}  // namespace relay
