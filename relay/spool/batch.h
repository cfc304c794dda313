// Batch: what one synced write makes durable: outcomes, then messages, encoded for a place at the
// end of a segment. A Journal owns a few and uses them again and again; several may be on their way
// to the disk at the same time, each in its own place, and each is durable (or not) by itself.
//
//   batch.add(pending, most);
//   co_await batch.sum_up(segment, reactor);
//   batch.encode(segment, unfinished, noted, most);  // takes its place in the segment
//   co_await batch.write(shard);          // durable, or an error after which nothing is known
//   batch.settle(written);                // messages know where they are, who waits is resumed
//
// Limits: kBuffer octets are written at a time; a batch that is larger takes several writes.
#pragma once

#include <coroutine>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/uio.h>

#include "core/base/intrusive_list.h"
#include "core/file/aligned_buffer.h"
#include "core/io/shard.h"
#include "core/runtime/task.h"
#include "relay/spool/noted_outcomes.h"
#include "relay/spool/segment.h"

namespace relay {

struct PendingTag;

// A message that is to be written. It lives in the coroutine that waits for it.
struct PendingMessage : core::ListLink<PendingTag> {
    explicit PendingMessage(Message& owner) : message(&owner) {}

    Message* message;
    // Its body, made beforehand: a message for many is not encoded in one step of the loop. Empty:
    // the batch does that.
    std::string body{};
    bool moved = false;  // it was durable before: a copy by compaction
    bool written = false;
    std::coroutine_handle<> waiter;
    core::Instant since{};
};

class Batch {
  public:
    static constexpr std::size_t kBuffer = 1 << 20;

    static constexpr std::size_t kStep = 4 << 20;  // octets of contents summed up in one step

    // More than the record of the message can take.
    static std::size_t most_octets(const PendingMessage& pending);

    void add(PendingMessage& pending, std::size_t most) {
        entries_.push_back({.pending = &pending, .most = most});
    }
    // More than the records of its messages take.
    std::size_t most_octets() const;
    // Resumes those who came with new mail: it is not known to be durable, and never will be.
    void refuse_new_mail(core::Reactor& reactor);

    bool has_messages() const { return !entries_.empty(); }
    std::size_t messages() const { return entries_.size(); }
    std::uint32_t outcomes() const { return outcome_count_; }
    std::uint64_t number() const { return number_; }
    std::size_t octets() const { return octets_; }  // on the disk, when it was encoded

    // Sums up the contents for that segment, in steps. Before encode().
    core::Task<void> sum_up(const Segment& segment, core::Reactor& reactor);
    // It takes outcomes from the front, as far as there is room in the segment and all records come
    // to no more than `most` octets.
    void encode(Segment& segment, std::uint32_t unfinished, NotedOutcomes& noted, std::size_t most);
    core::Task<core::IoResult<void>> write(core::Shard& shard);
    template <typename Observe>  // void(const PendingMessage&), of each that is written
    void settle(bool written, core::Reactor& reactor, Observe observe);

  private:
    struct Entry {
        PendingMessage* pending = nullptr;
        std::size_t most = 0;         // octets of the record
        std::size_t head_octets = 0;  // of the record's header and body, in heads_
        std::size_t parts = 0;        // of the content, in contents_
        std::uint32_t content_offset = 0;
        std::uint32_t checksum = 0;
    };

    void encode_outcomes(NotedOutcomes& noted, std::size_t room);
    void encode_message(Entry& entry);
    void collect_pieces();
    void place(const Entry& entry);
    // Copies as much as there is room for, and returns the rest.
    std::string_view stage(std::string_view octets);
    core::Task<core::IoResult<void>> flush(core::Shard& shard);

    std::vector<Entry> entries_;
    std::uint32_t outcome_count_ = 0;

    Segment* segment_ = nullptr;
    std::uint64_t number_ = 0;
    std::uint64_t begin_ = 0;  // in the segment
    std::uint64_t octets_ = 0;
    std::string heads_;             // all but contents and bodies made beforehand
    std::size_t first_octets_ = 0;  // of heads_: what stands before the first message
    std::vector<iovec> contents_;
    std::vector<std::string_view> pieces_;
    core::AlignedBuffer buffer_;
    std::size_t staged_ = 0;
    std::uint64_t flushed_ = 0;
};

template <typename Observe>
void Batch::settle(bool written, core::Reactor& reactor, Observe observe) {
    for (const Entry& entry : entries_) {
        PendingMessage& pending = *entry.pending;
        if (written) {
            place(entry);
            observe(pending);
        }
        pending.written = written;
        reactor.schedule(pending.waiter);
    }
    entries_.clear();
    outcome_count_ = 0;
}

}  // namespace relay
