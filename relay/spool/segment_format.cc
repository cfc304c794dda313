#include "relay/spool/segment_format.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "relay/spool/octets.h"

namespace relay {

namespace {

constexpr std::uint32_t kBatchMagic = 0x48435442;  // "BTCH"
constexpr std::size_t kBatchSaltAt = 32;

std::optional<BatchHeader> read_batch_header(std::string_view octets, std::size_t at,
                                             std::uint32_t seed) {
    if (octets.size() - at < kBatchHeader) return std::nullopt;
    const char* header = octets.data() + at;
    if (get_at<std::uint32_t>(header) != kBatchMagic) return std::nullopt;
    const std::uint32_t expected = crc32c(seed, {header + 8, kBatchHeader - 8});
    if (get_at<std::uint32_t>(header + 4) != expected) return std::nullopt;
    BatchHeader batch;
    batch.number = get_at<std::uint64_t>(header + 8);
    batch.octets = get_at<std::uint64_t>(header + 16);
    batch.records = get_at<std::uint32_t>(header + 24);
    batch.unfinished = get_at<std::uint32_t>(header + 28);
    if (batch.unfinished >= batch.number) return std::nullopt;
    if (batch.octets > octets.size() - at - kBatchHeader) return std::nullopt;
    return batch;
}

// Null: what stands there is no record of ours that fits into limit. The content is not checked.
std::optional<RecordView> read_record(std::string_view octets, std::size_t at, std::size_t limit,
                                      std::uint32_t seed) {
    if (limit - at < kRecordHeader) return std::nullopt;
    const char* header = octets.data() + at;
    const auto body_octets = get_at<std::uint32_t>(header + 4);
    RecordView record;
    record.content_octets = get_at<std::uint64_t>(header + 8);
    record.content_checksum = get_at<std::uint32_t>(header + 16);
    const auto type = get_at<std::uint32_t>(header + 20);
    const std::size_t room = limit - at - kRecordHeader;
    if (body_octets > room || record.content_octets > room - body_octets) return std::nullopt;
    if (type != static_cast<std::uint32_t>(RecordType::message) &&
        type != static_cast<std::uint32_t>(RecordType::outcome)) {
        return std::nullopt;
    }
    const std::uint32_t expected = crc32c(seed, {header + 4, kRecordHeader - 4 + body_octets});
    if (get_at<std::uint32_t>(header) != expected) return std::nullopt;
    record.type = static_cast<RecordType>(type);
    record.offset = at;
    record.body = octets.substr(at + kRecordHeader, body_octets);
    record.content_offset = at + kRecordHeader + body_octets;
    return record;
}

// The salt of a segment whose header is lost stands in each of its batches, too.
std::uint32_t seed_of(std::string_view octets, const SegmentName& name) {
    if (const auto header = read_segment_header(octets, name)) {
        return checksum_seed(name, header->salt);
    }
    for (std::size_t at = kSegmentBlock; at + kBatchHeader <= octets.size(); at += kSegmentBlock) {
        const auto salt = get_at<std::uint64_t>(octets.data() + at + kBatchSaltAt);
        const std::uint32_t seed = checksum_seed(name, salt);
        if (read_batch_header(octets, at, seed)) return seed;
    }
    return checksum_seed(name, 0);
}

class Scanner {
  public:
    Scanner(std::string_view octets, const SegmentName& name)
        : octets_(octets), seed_(seed_of(octets, name)) {}

    SegmentScan run() {
        std::size_t at = kSegmentBlock;
        scan_.seed = scan_.seal.checksum = seed_;
        while (at + kBatchHeader <= octets_.size()) {
            if (const auto batch = read_batch_header(octets_, at, seed_);
                batch && batch->number > scan_.last_batch) {
                const std::size_t end = scan_.seal.end;
                if (at > end) suspect(scan_.last_batch + 1, {end, at - end, "no batch"});
                convict_before(batch->number - batch->unfinished);
                scan_.last_batch = batch->number;
                read_batch(at, *batch);
                const char* const header = octets_.data() + at;
                at += batch_octets(batch->octets);
                scan_.seal.add_batch(header, at);
            } else {
                at += kSegmentBlock;
            }
        }
        for (Suspect& one : suspects_)
            scan_.interrupted.push_back(std::move(one.damage));
        return std::move(scan_);
    }

  private:
    // What is unreadable in a batch: damage if a later batch knew that one to be durable, and
    // otherwise a write that was interrupted.
    struct Suspect {
        std::uint64_t batch = 0;
        Damage damage;
    };

    void suspect(std::uint64_t batch, Damage damage) {
        suspects_.push_back({batch, std::move(damage)});
    }

    void convict_before(std::uint64_t batch) {
        std::erase_if(suspects_, [&](Suspect& one) {
            if (one.batch >= batch) return false;
            scan_.damages.push_back(std::move(one.damage));
            return true;
        });
    }

    void read_batch(std::size_t start, const BatchHeader& batch) {
        const std::size_t limit = start + kBatchHeader + batch.octets;
        std::size_t at = start + kBatchHeader;
        std::uint32_t seen = 0;
        while (at < limit) {
            const auto record = read_record(octets_, at, limit, seed_);
            if (!record) {
                // Where the next one begins is not known: the rest of the batch is lost.
                suspect(batch.number, {at, limit - at, "a record is damaged"});
                return;
            }
            ++seen;
            const std::size_t end = record->content_offset + record->content_octets;
            const std::string_view content =
                octets_.substr(record->content_offset, record->content_octets);
            if (crc32c(seed_, content) == record->content_checksum) {
                scan_.records.push_back(*record);
                scan_.seal.add_record(octets_.data() + at);
            } else {
                suspect(batch.number, {at, end - at, "the content of a record is damaged"});
            }
            at = end;
        }
        if (seen != batch.records) {
            suspect(batch.number, {start, limit - start, "a batch counts other records"});
        }
    }

    std::string_view octets_;
    std::uint32_t seed_;
    SegmentScan scan_;
    std::vector<Suspect> suspects_;
};

}  // namespace

std::uint32_t checksum_seed(const SegmentName& name, std::uint64_t salt) {
    std::array<char, 20> octets;
    put_at(octets.data(), name.sequence);
    put_at(octets.data() + 8, name.journal);
    put_at(octets.data() + 12, salt);
    return crc32c(0xffffffff, {octets.data(), octets.size()});
}

std::size_t batch_octets(std::size_t octets_of_records) {
    const std::size_t octets = kBatchHeader + octets_of_records;
    return (octets + kSegmentBlock - 1) / kSegmentBlock * kSegmentBlock;
}

void write_batch_header(const BatchHeader& batch, std::uint64_t salt, std::uint32_t seed,
                        char* out) {
    put_at(out, kBatchMagic);
    put_at(out + 8, batch.number);
    put_at(out + 16, batch.octets);
    put_at(out + 24, batch.records);
    put_at(out + 28, batch.unfinished);
    put_at(out + kBatchSaltAt, salt);
    put_at(out + 4, crc32c(seed, {out + 8, kBatchHeader - 8}));
}

void write_record_header(std::uint32_t seed, RecordType type, std::string_view body,
                         std::uint64_t content_octets, std::uint32_t content_checksum, char* out) {
    put_at(out + 4, static_cast<std::uint32_t>(body.size()));
    put_at(out + 8, content_octets);
    put_at(out + 16, content_checksum);
    put_at(out + 20, static_cast<std::uint32_t>(type));
    put_at(out, crc32c(crc32c(seed, {out + 4, kRecordHeader - 4}), body));
}

SegmentScan scan_segment(std::string_view octets, const SegmentName& name) {
    return Scanner(octets, name).run();
}

void take_as_left_in_order(SegmentScan& scan) {
    std::ranges::move(scan.interrupted, std::back_inserter(scan.damages));
    scan.interrupted.clear();
}

void hold_to_seal(SegmentScan& scan, const Seal& seal) {
    // What looks interrupted was so when the segment was sealed: nothing has changed since.
    if (scan.seal == seal) return;
    take_as_left_in_order(scan);
    const std::uint64_t lost =
        seal.records > scan.seal.records ? seal.records - scan.seal.records : 0;
    const std::uint64_t end = std::max<std::uint64_t>(seal.end, scan.seal.end);
    scan.damages.push_back(
        {scan.seal.end, end - scan.seal.end,
         fmt::format("it held {} batches with {} records in {} octets, and now {} with {} in {}: "
                     "{} records are lost",
                     seal.batches, seal.records, seal.end, scan.seal.batches, scan.seal.records,
                     scan.seal.end, lost)});
}

}  // namespace relay
