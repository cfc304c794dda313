// Recovery: what an earlier run left in a journal, read back from the newest segment to the oldest,
// so that every outcome is known before the message it speaks of is met: a message can be delivered
// as soon as it is found, while older segments are still being read. Torn tails are cut, damage is
// reported and skipped, and so is a segment that is missing: the chain says which there must be,
// and the segment that follows one, or the chain, what that one held. When all was read, segments
// that nothing vouched for are sealed. One task per journal, on its shard; no
// step of it is longer than the limits below, whatever a segment holds, but that the head of one
// record is read at once. Memory:
// one segment, and the outcomes of messages not met yet.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/io/shard.h"
#include "relay/message/reply_pool.h"
#include "relay/spool/journal.h"

namespace relay {

// Who takes what is found: the Origin.
class RecoveredMail {
  public:
    virtual ~RecoveredMail() = default;
    // Its content is not in memory; its recipients are those that are not final.
    virtual void recovered(std::unique_ptr<Message> message) = 0;
    virtual ReplyPool& replies() = 0;
    virtual const Tenant& tenant(std::string_view name) = 0;
};

struct RecoveryReport {
    std::uint64_t segments = 0;
    std::uint64_t messages = 0;
    std::uint64_t recipients = 0;
    std::uint64_t damaged = 0;  // records, batches or segments that were lost
    std::uint64_t steps = 0;    // of scanning
};

class Recovery {
  public:
    // What one step of the loop does at most; of recipients core::kSlice.
    static constexpr std::size_t kReadStep = 1 << 20;  // octets read
    static constexpr std::size_t kScanStep = 1 << 20;  // octets of contents checked
    static constexpr std::size_t kPiecesATurn = 2048;  // blocks and records looked at
    static constexpr std::size_t kRecordsATurn = 256;  // records taken
    static constexpr std::size_t kLinesATurn = 64;     // of damage, in the log

    Recovery(core::Shard& shard, Journal& journal, RecoveredMail& mail)
        : shard_(shard), journal_(journal), mail_(mail) {}
    ~Recovery();

    // All segments of earlier runs. stop: ends early; what was not read stays for the next run.
    core::Task<RecoveryReport> run(const bool& stop);

  private:
    struct Known {  // the latest outcome of one recipient
        Outcome outcome = Outcome::none;
        std::uint16_t attempts = 0;
        core::WallTime next_attempt{};
        bool delay_told = false;
        const LastReply* reply = nullptr;
    };
    struct Which {
        MessageId id;
        std::uint32_t index = 0;  // of the recipient, in the message's record
        bool operator==(const Which&) const = default;
    };
    struct IdHash {
        std::size_t operator()(const MessageId& id) const { return id.low * 31 + id.high; }
        std::size_t operator()(const Which& which) const {
            return (*this)(which.id) + which.index * 0x9e3779b97f4a7c15U;
        }
    };

    core::Task<void> recover(Segment& segment, const bool& stop);
    core::Task<bool> read(Segment& segment, std::span<char> octets, const bool& stop);
    void verify(Segment& segment, std::string_view octets, SegmentScan& scan);
    bool take_step(SegmentScanner& scanner);
    core::Task<void> report(Segment& segment, const SegmentScan& scan);
    void report_missing();
    void take_outcome(const RecordView& record, Segment& segment);
    core::Task<void> take_message(const RecordView& record, Segment& segment);
    std::unique_ptr<Message> rebuild(const MessageRecord& record);
    core::Task<void> add_recipients(Message& message, const MessageRecord& record);
    void add_recipient(Message& message, const RecipientRecord& written, const Known* later);
    void damaged(Segment& segment, std::size_t offset, std::string_view what);

    core::Shard& shard_;
    Journal& journal_;
    RecoveredMail& mail_;
    RecoveryReport report_;
    bool may_be_torn_ = true;              // the segment that comes next was the last one of a run
    std::map<std::uint64_t, Seal> seals_;  // of segments, as the headers after them say
    std::unordered_map<Which, Known, IdHash> outcomes_;
    std::unordered_set<MessageId, IdHash> moved_;  // met as a copy; what comes before is older
};

}  // namespace relay
