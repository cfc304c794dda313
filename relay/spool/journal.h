// Journal: the log of one shard. A message is committed when commit() returns; outcomes are noted
// and become durable with the next batch, awaited by nobody. One batch is written at a time, with
// one synced write; what arrives meanwhile is the next batch, so a lone client waits for one write
// and a crowd shares it. What lives on in the oldest segment when too much behind it is dead is
// copied forward (compaction). Owned by the shard's Spool, on its thread.
// Limits: kBatchOctets a batch, a quarter of a segment at most, but one record may be larger;
// kMostNoted octets of outcomes not written yet, beyond which the newest are dropped and counted (a
// crash then repeats deliveries).
#pragma once

#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/intrusive_list.h"
#include "core/file/aligned_buffer.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"
#include "metrics/shard_metrics.h"
#include "relay/message/message.h"
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
    static constexpr std::size_t kBatchOctets = 1 << 20;
    static constexpr std::size_t kMostNoted = 64 << 20;
    // Outcomes wait so long for a message to share its write.
    static constexpr core::Duration kNotedPatience = std::chrono::milliseconds{5};
    static constexpr std::uint64_t kSlack = 2;                     // sealed octets per live octet
    static constexpr std::uint64_t kCompactionRate = 64ULL << 20;  // octets a second
    static constexpr std::size_t kCompactionStep = 1 << 20;        // octets moved at a time

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

  private:
    struct PendingTag;
    struct Pending : core::ListLink<PendingTag> {
        explicit Pending(Message& owner) : message(&owner) {}
        Message* message;
        bool moved = false;
        bool written = false;
        std::coroutine_handle<> waiter;
        core::Instant since{};
    };
    struct Placed {  // of a message in the batch that is being written
        std::size_t body = 0;
        std::size_t body_octets = 0;
        std::uint32_t content_offset = 0;
        std::uint32_t checksum = 0;
    };
    class Committing;

    // ---- batches
    core::Task<void> write_batches();
    core::Task<void> wait_for_work();
    core::Task<bool> write_batch();
    std::size_t choose_batch();
    void refuse_new_mail();
    std::size_t most_at_once(std::size_t octets) const;
    void encode_batch();
    core::Task<bool> write_encoded(Segment& segment);
    core::Task<bool> put(std::string_view octets);
    core::Task<bool> flush(std::size_t octets);
    core::Task<bool> put_message(Segment& segment, const Message& message, Placed& placed);
    void settle_batch(Segment* segment, bool written);
    bool anything_to_write() const { return pending_count_ > 0 || noted_count_ > 0; }

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

    core::IntrusiveList<Pending, PendingTag> pending_;
    std::size_t pending_count_ = 0;
    std::string noted_;  // bodies of outcome records, each behind its length
    std::uint32_t noted_count_ = 0;

    // The batch that is being written.
    std::vector<Pending*> chosen_;
    std::vector<Placed> placed_;
    std::string bodies_;    // of its messages
    std::string outcomes_;  // as noted_
    std::uint32_t outcome_count_ = 0;
    std::uint64_t records_octets_ = 0;
    core::AlignedBuffer staging_;
    std::size_t staged_ = 0;
    Segment* writing_ = nullptr;
    std::uint64_t write_at_ = 0;

    core::Event work_;
    core::Event house_work_;
    core::TaskGroup writer_;
    core::TaskGroup house_;
    core::Instant noted_since_{};
    core::Instant compact_after_{};
    bool recovered_ = false;
    bool closing_ = false;
    bool ending_ = false;  // the house is closed: the writer ends when all is written
};

}  // namespace relay
