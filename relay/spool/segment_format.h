// The octets of a segment (docs/spool-format.md): a header block, then batches. A batch begins at a
// block, has a header and records, and is padded with zeros to the next block. What a reused file
// held before never passes for new, nor does what a sender put into a content: every checksum
// begins with the journal, the segment's sequence and a salt that nobody outside knows. Pure.
// Segment scanning never fails: damage is skipped, reported and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/spool/record.h"

namespace relay {

inline constexpr std::size_t kSegmentBlock = 4096;
inline constexpr std::size_t kBatchHeader = 40;
inline constexpr std::size_t kRecordHeader = 24;
inline constexpr std::uint32_t kSegmentVersion = 2;

// Who wrote it: makes checksums of different segments differ.
struct SegmentName {
    std::uint32_t journal = 0;
    std::uint64_t sequence = 0;  // ascending within the journal; never used twice
    bool operator==(const SegmentName&) const = default;
};

std::uint32_t crc32c(std::uint32_t begin, std::string_view octets);
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

// kSegmentBlock octets. begins_run: the first segment that a process writes in the journal.
void write_segment_header(const SegmentName& name, std::uint64_t salt, std::uint64_t size,
                          bool begins_run, char* out);
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
    std::uint64_t last_batch = 0;
    std::size_t end = 0;  // of the last batch
};

// Complains about a header that is not the named segment's; the batches may be read all the same.
std::optional<std::string> check_segment_header(std::string_view octets, const SegmentName& name);
// The segment before one that begins a run may end in a write that was interrupted.
bool begins_run(std::string_view octets);
SegmentScan scan_segment(std::string_view octets, const SegmentName& name);

}  // namespace relay
