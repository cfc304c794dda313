#include "relay/spool/batch.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/assert.h"
#include "core/runtime/next_turn.h"
#include "relay/spool/octets.h"
#include "relay/spool/patient_write.h"

namespace relay {

namespace {

std::string_view view(const iovec& part) {
    return {static_cast<const char*>(part.iov_base), part.iov_len};
}

}  // namespace

// The fixed parts are smaller than the numbers here (relay/spool/record.cc).
std::size_t Batch::most_octets(const PendingMessage& pending) {
    const Message& message = *pending.message;
    if (!pending.body.empty()) return kRecordHeader + pending.body.size() + message.size();
    std::size_t octets = kRecordHeader + 208 + message.sender.size() + message.size() +
                         message.labels().tenant->name.size() + message.labels().campaign.size() +
                         message.dsn().envelope_id.size();
    for (const auto& recipient : message.recipients) {
        octets += recipient->address.size() + recipient->original().size() + 40;
        if (recipient->last_reply != nullptr) {
            octets +=
                recipient->last_reply->reply.text.size() + recipient->last_reply->command.size();
        }
    }
    return octets;
}

std::size_t Batch::most_octets() const {
    std::size_t octets = 0;
    for (const Entry& entry : entries_)
        octets += entry.most;
    return octets;
}

void Batch::refuse_new_mail(core::Reactor& reactor) {
    std::erase_if(entries_, [&](const Entry& entry) {
        if (entry.pending->moved) return false;
        reactor.schedule(entry.pending->waiter);
        return true;
    });
}

// Outcomes stand before messages: a copy has the state that they led to.
void Batch::encode(Segment& segment, std::uint32_t unfinished, NotedOutcomes& noted,
                   std::size_t most) {
    const std::size_t left = (segment.size - segment.used) / kSegmentBlock * kSegmentBlock;
    const std::size_t room = std::min(left - kBatchHeader, most);
    PH_ASSERT(room >= most_octets());
    segment_ = &segment;
    number_ = ++segment.batches;
    begin_ = segment.used;
    heads_.assign(kBatchHeader, '\0');
    encode_outcomes(noted, room - most_octets());
    first_octets_ = heads_.size();
    std::uint64_t beside = 0;  // octets that are not in heads_
    for (Entry& entry : entries_) {
        const std::size_t before = heads_.size();
        encode_message(entry);
        entry.head_octets = heads_.size() - before;
        beside += entry.pending->body.size();
        entry.content_offset = static_cast<std::uint32_t>(begin_ + heads_.size() + beside);
        beside += entry.pending->message->size();
    }
    const BatchHeader header{
        .number = number_,
        .octets = heads_.size() - kBatchHeader + beside,
        .records = outcome_count_ + static_cast<std::uint32_t>(entries_.size()),
        .unfinished = unfinished};
    write_batch_header(header, segment.salt, segment.seed, heads_.data());
    octets_ = batch_octets(header.octets);
    segment.used += octets_;
    segment.seal.add_batch(heads_.data(), segment.used);
    PH_ASSERT(segment.used <= segment.size);
    collect_pieces();
}

void Batch::encode_outcomes(NotedOutcomes& noted, std::size_t room) {
    for (; !noted.empty(); noted.pop()) {
        const std::string_view body = noted.front();
        if (room < kRecordHeader + body.size()) break;
        room -= kRecordHeader + body.size();
        char header[kRecordHeader];
        write_record_header(segment_->seed, RecordType::outcome, body, 0, segment_->seed, header);
        segment_->seal.add_record(header);
        heads_.append(header, sizeof header).append(body);
        ++outcome_count_;
    }
}

core::Task<void> Batch::sum_up(const Segment& segment, core::Reactor& reactor) {
    contents_.clear();
    std::size_t in_step = 0;
    for (Entry& entry : entries_) {
        const std::size_t before = contents_.size();
        entry.pending->message->content.gather(contents_);
        entry.parts = contents_.size() - before;
        entry.checksum = segment.seed;
        for (std::size_t i = before; i < contents_.size(); ++i) {
            for (std::string_view rest = view(contents_[i]); !rest.empty();) {
                const std::string_view piece = rest.substr(0, kStep);
                rest.remove_prefix(piece.size());
                entry.checksum = crc32c(entry.checksum, piece);
                in_step += piece.size();
                if (in_step < kStep) continue;
                in_step = 0;
                co_await core::NextTurn{reactor};
            }
        }
    }
}

void Batch::encode_message(Entry& entry) {
    const Message& message = *entry.pending->message;
    const std::size_t at = heads_.size();
    heads_.resize(at + kRecordHeader);
    std::string_view body = entry.pending->body;
    if (body.empty()) {
        relay::encode_message(message, entry.pending->moved, heads_);
        body = std::string_view(heads_).substr(at + kRecordHeader);
    }
    char header[kRecordHeader];
    write_record_header(segment_->seed, RecordType::message, body, message.size(), entry.checksum,
                        header);
    segment_->seal.add_record(header);
    std::memcpy(heads_.data() + at, header, sizeof header);
}

// Everything in the order in which it stands on the disk.
void Batch::collect_pieces() {
    pieces_.clear();
    std::string_view heads = heads_;
    std::size_t head = first_octets_;
    auto content = contents_.begin();
    for (const Entry& entry : entries_) {
        head += entry.head_octets;
        pieces_.push_back(heads.substr(0, head));
        heads.remove_prefix(std::exchange(head, 0));
        if (!entry.pending->body.empty()) pieces_.push_back(entry.pending->body);
        for (std::size_t i = 0; i < entry.parts; ++i)
            pieces_.push_back(view(*content++));
    }
    pieces_.push_back(heads);
}

core::Task<core::IoResult<void>> Batch::write(core::Shard& shard) {
    if (buffer_.size() == 0) buffer_ = core::AlignedBuffer(kBuffer);
    staged_ = 0;
    flushed_ = 0;
    for (std::string_view rest : pieces_) {
        while (!(rest = stage(rest)).empty()) {
            if (const auto done = co_await flush(shard); !done) co_return done;
        }
    }
    const std::size_t last = octets_ - flushed_;
    std::memset(buffer_.data() + staged_, 0, last - staged_);
    staged_ = last;
    co_return co_await flush(shard);
}

std::string_view Batch::stage(std::string_view octets) {
    const std::size_t step = std::min(octets.size(), buffer_.size() - staged_);
    std::memcpy(buffer_.data() + staged_, octets.data(), step);
    staged_ += step;
    return octets.substr(step);
}

core::Task<core::IoResult<void>> Batch::flush(core::Shard& shard) {
    const std::size_t octets = std::exchange(staged_, 0);
    const std::uint64_t at = begin_ + flushed_;
    flushed_ += octets;
    return write_patiently(shard, segment_->writer, buffer_.first(octets), at, true);
}

void Batch::place(const Entry& entry) {
    Message& message = *entry.pending->message;
    if (entry.pending->moved) message.place.segment->drop(message);
    message.place.content_offset = entry.content_offset;
    message.place.content_checksum = entry.checksum;
    message.place.octets =
        static_cast<std::uint32_t>(entry.head_octets + entry.pending->body.size() + message.size());
    segment_->keep(message);
}

}  // namespace relay
