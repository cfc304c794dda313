#include "relay/spool/segment_header.h"

#include <algorithm>
#include <cstring>

#include <isa-l/crc.h>

#include "relay/spool/octets.h"

namespace relay {

namespace {

constexpr std::string_view kMagic = "PHSTSEG1";
constexpr std::size_t kBatchOctets = 40;  // of the header of a batch, which builds on this file
constexpr std::size_t kFlagsAt = 32;
constexpr std::size_t kSaltAt = 40;
constexpr std::size_t kSealAt = 48;                      // version 3
constexpr std::size_t kCheckedOfVersion2 = 48;           // octets under the checksum
constexpr std::size_t kChecked = kSealAt + kSealOctets;  // the same, of version 3
constexpr std::uint32_t kBeginsRun = 1;
constexpr std::uint32_t kHasSeal = 2;

}  // namespace

std::uint32_t crc32c(std::uint32_t begin, std::string_view octets) {
    auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(octets.data()));
    std::uint32_t checksum = begin;
    while (!octets.empty()) {  // the library counts in int
        const std::size_t step = std::min<std::size_t>(octets.size(), std::size_t{1} << 30);
        checksum = crc32_iscsi(data, static_cast<int>(step), checksum);
        data += step;
        octets.remove_prefix(step);
    }
    return checksum;
}

void Seal::add_record(const char* header) {
    checksum = crc32c(checksum, {header, sizeof(std::uint32_t)});
    ++records;
}

void Seal::add_batch(const char* header, std::uint64_t end_of_batch) {
    checksum = crc32c(checksum, {header, kBatchOctets});
    ++batches;
    end = end_of_batch;
}

void write_seal(const Seal& seal, char* out) {
    put_at(out, seal.end);
    put_at(out + 8, seal.batches);
    put_at(out + 16, seal.records);
    put_at(out + 24, seal.checksum);
}

Seal read_seal(const char* octets) {
    return {.end = get_at<std::uint64_t>(octets),
            .batches = get_at<std::uint64_t>(octets + 8),
            .records = get_at<std::uint64_t>(octets + 16),
            .checksum = get_at<std::uint32_t>(octets + 24)};
}

void write_segment_header(const SegmentHeader& header, char* out) {
    std::memset(out, 0, kSegmentBlock);
    std::memcpy(out, kMagic.data(), kMagic.size());
    put_at(out + 8, kSegmentVersion);
    put_at(out + 12, header.name.journal);
    put_at(out + 16, header.name.sequence);
    put_at(out + 24, header.size);
    const std::uint32_t flags =
        (header.begins_run ? kBeginsRun : 0) | (header.before ? kHasSeal : 0);
    put_at(out + kFlagsAt, flags);
    put_at(out + kSaltAt, header.salt);
    if (header.before) write_seal(*header.before, out + kSealAt);
    put_at(out + kChecked, crc32c(0xffffffff, {out, kChecked}));
}

core::Result<SegmentHeader> read_segment_header(std::string_view octets, const SegmentName& name) {
    if (octets.size() < kSegmentBlock) return core::failure("is shorter than its header");
    if (!octets.starts_with(kMagic)) return core::failure("has no segment header");
    const char* const at = octets.data();
    SegmentHeader header;
    header.version = get_at<std::uint32_t>(at + 8);
    const std::size_t checked = header.version == 2 ? kCheckedOfVersion2 : kChecked;
    if (get_at<std::uint32_t>(at + checked) != crc32c(0xffffffff, octets.substr(0, checked))) {
        return core::failure("has a damaged header");
    }
    if (header.version != 2 && header.version != kSegmentVersion) {
        return core::failure("has a format version that this program does not know");
    }
    header.name = {get_at<std::uint32_t>(at + 12), get_at<std::uint64_t>(at + 16)};
    if (header.name != name) return core::failure("has the header of another segment");
    header.size = get_at<std::uint64_t>(at + 24);
    const auto flags = get_at<std::uint32_t>(at + kFlagsAt);
    header.begins_run = (flags & kBeginsRun) != 0;
    header.salt = get_at<std::uint64_t>(at + kSaltAt);
    if (header.version == kSegmentVersion && (flags & kHasSeal) != 0) {
        header.before = read_seal(at + kSealAt);
    }
    return header;
}

}  // namespace relay
