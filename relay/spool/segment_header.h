// The first block of a segment (docs/spool-format.md): who wrote it, and what the segment before it
// held when that one was left: its seal. So a segment is verified by the one that follows it. Pure.
// Versions 2 and 3 are read, version 3 is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace relay {

inline constexpr std::size_t kSegmentBlock = 4096;
inline constexpr std::uint32_t kSegmentVersion = 3;

// Who wrote it: makes checksums of different segments differ.
struct SegmentName {
    std::uint32_t journal = 0;
    std::uint64_t sequence = 0;  // ascending by one within the journal; never used twice
    bool operator==(const SegmentName&) const = default;
};

// All that a segment holds, in short: a segment that is unchanged has the same seal at each scan.
struct Seal {
    std::uint64_t end = kSegmentBlock;  // of the last batch
    std::uint64_t batches = 0;
    std::uint64_t records = 0;
    // CRC from the segment's seed: of each batch in turn, the first four octets of its records
    // (they are checksums) and then the header of the batch.
    std::uint32_t checksum = 0;
    bool operator==(const Seal&) const = default;

    void add_record(const char* header);  // kRecordHeader octets
    void add_batch(const char* header, std::uint64_t end_of_batch);
};

struct SegmentHeader {
    SegmentName name;
    std::uint64_t salt = 0;
    std::uint64_t size = 0;   // octets of the file
    bool begins_run = false;  // the first that a process writes in the journal
    // Of the segment whose sequence is one less; not always known.
    std::optional<Seal> before{};
    std::uint32_t version = kSegmentVersion;
};

std::uint32_t crc32c(std::uint32_t begin, std::string_view octets);

// kSegmentBlock octets, of which all after the header are zeros.
void write_segment_header(const SegmentHeader& header, char* out);
// An error in words when it is not the named segment's; the batches may be read all the same.
core::Result<SegmentHeader> read_segment_header(std::string_view octets, const SegmentName& name);

// A seal as it stands in a segment's header and in a chain file.
inline constexpr std::size_t kSealOctets = 28;
void write_seal(const Seal& seal, char* out);
Seal read_seal(const char* octets);

}  // namespace relay
