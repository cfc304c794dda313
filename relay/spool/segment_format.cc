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

// ---- SegmentScanner

SegmentScanner::SegmentScanner(std::string_view octets, const SegmentName& name)
    : octets_(octets), name_(name) {
    const auto header = read_segment_header(octets, name);
    if (header) begin(checksum_seed(name, header->salt));
}

void SegmentScanner::begin(std::uint32_t seed) {
    stage_ = Stage::between;
    at_ = kSegmentBlock;
    scan_.seed = scan_.seal.checksum = seed;
}

bool SegmentScanner::step(std::size_t octets, std::size_t pieces) {
    while (stage_ != Stage::over && octets > 0 && pieces > 0) {
        --pieces;
        switch (stage_) {
            case Stage::seed:
                look_for_salt();
                break;
            case Stage::between:
                look_for_batch();
                break;
            case Stage::record:
                begin_record();
                break;
            case Stage::content:
                octets -= check_content(octets);
                break;
            case Stage::over:
                break;
        }
    }
    return stage_ == Stage::over;
}

// The salt of a segment whose header is lost stands in each of its batches, too.
void SegmentScanner::look_for_salt() {
    if (at_ + kBatchHeader > octets_.size()) return begin(checksum_seed(name_, 0));
    const auto salt = get_at<std::uint64_t>(octets_.data() + at_ + kBatchSaltAt);
    const std::uint32_t seed = checksum_seed(name_, salt);
    if (read_batch_header(octets_, at_, seed)) return begin(seed);
    at_ += kSegmentBlock;
}

void SegmentScanner::look_for_batch() {
    if (at_ + kBatchHeader > octets_.size()) {
        for (Suspect& one : suspects_)
            scan_.interrupted.push_back(std::move(one.damage));
        suspects_.clear();
        stage_ = Stage::over;
        return;
    }
    const auto batch = read_batch_header(octets_, at_, scan_.seed);
    if (!batch || batch->number <= scan_.last_batch) {
        at_ += kSegmentBlock;
        return;
    }
    const std::size_t end = scan_.seal.end;
    if (at_ > end) suspect(scan_.last_batch + 1, {end, at_ - end, "no batch"});
    convict_before(batch->number - batch->unfinished);
    scan_.last_batch = batch->number;
    batch_ = *batch;
    seen_ = 0;
    record_at_ = at_ + kBatchHeader;
    limit_ = record_at_ + batch->octets;
    stage_ = Stage::record;
}

void SegmentScanner::begin_record() {
    if (record_at_ >= limit_) {
        if (seen_ != batch_.records) {
            suspect(batch_.number, {at_, limit_ - at_, "a batch counts other records"});
        }
        return end_batch();
    }
    const auto record = read_record(octets_, record_at_, limit_, scan_.seed);
    if (!record) {
        // Where the next one begins is not known: the rest of the batch is lost.
        suspect(batch_.number, {record_at_, limit_ - record_at_, "a record is damaged"});
        return end_batch();
    }
    ++seen_;
    record_ = *record;
    checked_ = 0;
    checksum_ = scan_.seed;
    stage_ = Stage::content;
}

// How many octets were looked at.
std::size_t SegmentScanner::check_content(std::size_t most) {
    const std::size_t left = static_cast<std::size_t>(record_.content_octets) - checked_;
    const std::size_t part = std::min(left, most);
    checksum_ = crc32c(checksum_, octets_.substr(record_.content_offset + checked_, part));
    checked_ += part;
    if (part < left) return part;
    const std::size_t end = record_.content_offset + checked_;
    if (checksum_ == record_.content_checksum) {
        scan_.records.push_back(record_);
        scan_.seal.add_record(octets_.data() + record_at_);
    } else {
        suspect(batch_.number,
                {record_at_, end - record_at_, "the content of a record is damaged"});
    }
    const std::size_t whole = part + kRecordHeader + record_.body.size();
    record_at_ = end;
    stage_ = Stage::record;
    return std::min(whole, most);
}

void SegmentScanner::end_batch() {
    const char* const header = octets_.data() + at_;
    at_ += batch_octets(batch_.octets);
    scan_.seal.add_batch(header, at_);
    stage_ = Stage::between;
}

void SegmentScanner::suspect(std::uint64_t batch, Damage damage) {
    suspects_.push_back({batch, std::move(damage)});
}

void SegmentScanner::convict_before(std::uint64_t batch) {
    std::erase_if(suspects_, [&](Suspect& one) {
        if (one.batch >= batch) return false;
        scan_.damages.push_back(std::move(one.damage));
        return true;
    });
}

SegmentScan scan_segment(std::string_view octets, const SegmentName& name) {
    SegmentScanner scanner(octets, name);
    while (!scanner.step(octets.size() + 1, octets.size() + 1)) {
    }
    return scanner.take();
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
