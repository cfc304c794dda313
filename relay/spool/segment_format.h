// The octets of a segment (docs/spool-format.md): a header block, then batches. A batch begins at a
// block, has a header and records, and is padded with zeros to the next block. What a reused file
// held before never passes for new, nor does what a sender put into a content: every checksum
// begins with the journal, the segment's sequence and a salt that nobody outside knows. Pure.
// Segment scanning never fails: damage is skipped, reported and counted. The header block and
// seals: relay/spool/segment_header.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/spool/record.h"
#include "relay/spool/segment_header.h"

namespace relay {

inline constexpr std::size_t kBatchHeader = 40;
inline constexpr std::size_t kRecordHeader = 24;

// What every checksum in the segment begins with.
std::uint32_t checksum_seed(const SegmentName& name, std::uint64_t salt);

// ---- writing: into memory that the caller provides

struct BatchHeader {
    std::uint64_t number = 0;  // in its segment: 1, 2, 3, …
    std::uint64_t octets = 0;  // of the records
    std::uint32_t records = 0;
    // So many batches in front of it reach back to the first that was still being written: those
    // before were durable.
    std::uint32_t unfinished = 0;
};

std::size_t batch_octets(std::size_t octets_of_records);  // with header and padding
void write_batch_header(const BatchHeader& batch, std::uint64_t salt, std::uint32_t seed,
                        char* out);
void write_record_header(std::uint32_t seed, RecordType type, std::string_view body,
                         std::uint64_t content_octets, std::uint32_t content_checksum, char* out);

// ---- reading

struct RecordView {
    RecordType type = RecordType::message;
    std::size_t offset = 0;  // of its header in the segment
    std::string_view body;
    std::size_t content_offset = 0;
    std::uint64_t content_octets = 0;
    std::uint32_t content_checksum = 0;
};

struct Damage {
    std::size_t offset = 0;
    std::size_t octets = 0;
    std::string what;
};

struct SegmentScan {
    std::vector<RecordView> records;  // as written; views into the octets
    std::vector<Damage> damages;      // skipped; it was durable once
    std::vector<Damage> interrupted;  // skipped; nothing shows that it ever was durable
    std::uint32_t seed = 0;           // of the checksums
    std::uint64_t last_batch = 0;     // the highest number
    Seal seal;                        // of what was found
};

// Scans a segment step by step, so that nobody has to wait for the whole of it: a segment has 64
// MiB, and one record of it may have as much. With the header or without it: a header that cannot
// be read is damage of its own. The octets stay where they are until take().
class SegmentScanner {
  public:
    SegmentScanner(std::string_view octets, const SegmentName& name);
    // Looks at so many octets of records more, and at so many records and blocks: at one at least.
    // The head of a record is looked at as a whole. True: all was looked at.
    bool step(std::size_t octets, std::size_t pieces);
    SegmentScan take() { return std::move(scan_); }

  private:
    enum class Stage : std::uint8_t { seed, between, record, content, over };
    // What is unreadable in a batch: damage if a later batch knew that one to be durable, and
    // otherwise a write that was interrupted.
    struct Suspect {
        std::uint64_t batch = 0;
        Damage damage;
    };

    void begin(std::uint32_t seed);
    void look_for_salt();
    void look_for_batch();
    void begin_record();
    std::size_t check_content(std::size_t most);
    void end_batch();
    void suspect(std::uint64_t batch, Damage damage);
    void convict_before(std::uint64_t batch);

    std::string_view octets_;
    SegmentName name_;
    Stage stage_ = Stage::seed;
    std::size_t at_ = kSegmentBlock;  // of the block, or of the batch that is being read
    BatchHeader batch_;
    std::size_t limit_ = 0;  // where its records end
    std::uint32_t seen_ = 0;
    std::size_t record_at_ = 0;
    RecordView record_;
    std::size_t checked_ = 0;  // octets of its content
    std::uint32_t checksum_ = 0;
    SegmentScan scan_;
    std::vector<Suspect> suspects_;
};

// The same at once.
SegmentScan scan_segment(std::string_view octets, const SegmentName& name);
// Compares what was found with what the segment held when it was left: what is missing becomes
// damage, and so does what looked like an interrupted write, since it was none.
void hold_to_seal(SegmentScan& scan, const Seal& seal);
// A segment of earlier versions that was left in order holds no interrupted writes.
void take_as_left_in_order(SegmentScan& scan);

}  // namespace relay
