// SegmentBuilder: a segment in memory, written by the functions the journal uses. For tests and for
// the fuzz target. Owned by the test; grows as batches are added and never looks at the records.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "relay/spool/segment_format.h"

namespace relay {

struct BuiltRecord {
    RecordType type = RecordType::message;
    std::string body;
    std::string content;
    bool operator==(const BuiltRecord&) const = default;
};

class SegmentBuilder {
  public:
    // A fresh file, or one that was recycled: what it held stays after what is written.
    SegmentBuilder(SegmentName name, std::uint64_t size, std::string before = {})
        : name_(name), octets_(std::move(before)) {
        octets_.resize(size);
        write_segment_header({.name = name, .salt = kSalt, .size = size}, octets_.data());
        seal_.checksum = seed_;
    }

    // unfinished: how many batches before it were still being written.
    void add_batch(const std::vector<BuiltRecord>& records, std::uint32_t unfinished = 0) {
        const std::string batch = batch_of(records, unfinished);
        if (octets_.size() < at_ + batch.size()) octets_.resize(at_ + batch.size());
        octets_.replace(at_, batch.size(), batch);
        starts_.push_back(at_);
        at_ += batch.size();
        seal_.add_batch(batch.data(), at_);
    }

    const std::string& octets() const { return octets_; }
    const SegmentName& name() const { return name_; }
    std::uint32_t seed() const { return seed_; }
    std::size_t end() const { return at_; }
    const Seal& seal() const { return seal_; }
    const std::vector<std::size_t>& starts() const { return starts_; }  // of the batches

    // The records that a scan finds, by their octets.
    static std::vector<BuiltRecord> found(std::string_view octets, const SegmentScan& scan) {
        std::vector<BuiltRecord> records;
        for (const RecordView& one : scan.records) {
            records.push_back({one.type, std::string(one.body),
                               std::string(octets.substr(one.content_offset, one.content_octets))});
        }
        return records;
    }

  private:
    std::string batch_of(const std::vector<BuiltRecord>& records, std::uint32_t unfinished) {
        std::string octets(kBatchHeader, '\0');
        for (const BuiltRecord& record : records) {
            const std::uint32_t checksum = crc32c(seed_, record.content);
            char header[kRecordHeader];
            write_record_header(seed_, record.type, record.body, record.content.size(), checksum,
                                header);
            seal_.add_record(header);
            octets.append(header, sizeof header);
            octets += record.body;
            octets += record.content;
        }
        const std::size_t of_records = octets.size() - kBatchHeader;
        write_batch_header({.number = ++batches_,
                            .octets = of_records,
                            .records = static_cast<std::uint32_t>(records.size()),
                            .unfinished = unfinished},
                           kSalt, seed_, octets.data());
        octets.resize(batch_octets(of_records));
        return octets;
    }

    static constexpr std::uint64_t kSalt = 0x5a17'0000'0000'0001;

    SegmentName name_;
    std::uint32_t seed_ = checksum_seed(name_, kSalt);
    std::string octets_;
    std::size_t at_ = kSegmentBlock;
    std::uint64_t batches_ = 0;
    Seal seal_;  // as the journal keeps it up
    std::vector<std::size_t> starts_;
};

}  // namespace relay
