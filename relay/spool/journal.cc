#include "relay/spool/journal.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/assert.h"
#include "core/base/log.h"
#include "core/file/file.h"
#include "relay/spool/octets.h"

namespace relay {

namespace {

// More than the encoding of the message can take (relay/spool/record.cc).
std::size_t most_record_octets(const Message& message) {
    std::size_t octets = kRecordHeader + 192 + message.sender.size() + message.size() +
                         message.labels().tenant.size() + message.labels().campaign.size();
    for (const auto& recipient : message.recipients) {
        octets += recipient->address.size() + recipient->original().size() + 32;
        if (recipient->last_reply != nullptr) {
            octets += recipient->last_reply->text.size() + recipient->last_reply->command.size();
        }
    }
    return octets;
}

}  // namespace

Journal::Journal(core::Shard& shard, core::Disk& disk, SpoolSpace& space,
                 metrics::ShardMetrics& metrics, JournalOptions options)
    : shard_(shard),
      space_(space),
      metrics_(metrics),
      store_(shard, disk, space, *this, std::move(options)),
      staging_(kBatchOctets),
      work_(shard.reactor()),
      house_work_(shard.reactor()),
      writer_(shard.reactor()),
      house_(shard.reactor()) {}

Journal::~Journal() {
    PH_ASSERT(pending_.empty());
}

void Journal::start(MessageKeeper& keeper) {
    keeper_ = &keeper;
    writer_.spawn(write_batches());
    house_.spawn(keep_house());
}

void Journal::recovered() {
    recovered_ = true;
    house_work_.notify_all();
}

core::Task<void> Journal::close() {
    closing_ = true;
    house_work_.notify_all();
    co_await house_.close();
    ending_ = true;
    work_.notify_all();
    co_await writer_.close();
}

// ---- what comes in

class Journal::Committing final : public Pending {
  public:
    Committing(Journal& journal, Message& owner) : Pending(owner), journal_(journal) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
        waiter = handle;
        since = journal_.shard_.now();
        journal_.pending_.push_back(*this);
        ++journal_.pending_count_;
        journal_.work_.notify_all();
    }
    bool await_resume() const noexcept { return written; }

  private:
    Journal& journal_;
};

core::Task<bool> Journal::commit(Message& message) {
    PH_ASSERT(!closing_);
    Committing committing(*this, message);
    co_return co_await committing;
}

void Journal::note(const OutcomeRecord& outcome) {
    if (noted_.size() > kMostNoted || space_.failed()) {
        ++stats_.outcomes_dropped;
        return;
    }
    const std::size_t at = noted_.size();
    relay::put(noted_, std::uint32_t{0});
    encode_outcome(outcome, noted_);
    put_at(noted_.data() + at, static_cast<std::uint32_t>(noted_.size() - at - 4));
    if (++noted_count_ > 1) return;
    noted_since_ = shard_.now();
    work_.notify_all();
}

bool Journal::forget(Message& message) {
    Segment& segment = *message.place.segment;
    if (message.moving) return false;
    segment.drop(message);
    if (store_.oldest_dead()) house_work_.notify_all();
    return true;
}

// ---- batches

core::Task<void> Journal::write_batches() {
    while (true) {
        co_await wait_for_work();
        if (!anything_to_write()) co_return;
        if (!co_await write_batch() && ending_) co_return;
        if (store_.spare_wanted()) house_work_.notify_all();
    }
}

core::Task<void> Journal::wait_for_work() {
    while (pending_count_ == 0 && !ending_) {
        const core::Instant due = noted_count_ > 0 ? noted_since_ + kNotedPatience : core::kNever;
        if (due <= shard_.now()) co_return;
        co_await work_.wait(due);
    }
}

core::Task<bool> Journal::write_batch() {
    const std::size_t most = choose_batch();
    Segment* segment = nullptr;
    if (!space_.failed()) {
        segment = co_await store_.room_for(batch_octets(most), SegmentStore::Need::any);
    }
    if (segment == nullptr && !space_.failed()) {
        refuse_new_mail();
        if (!chosen_.empty()) {
            segment = co_await store_.room_for(batch_octets(most), SegmentStore::Need::moving);
        }
    }
    if (segment == nullptr) {
        // Outcomes wait for space; a message is refused.
        settle_batch(nullptr, false);
        if (space_.failed()) {
            stats_.outcomes_dropped += std::exchange(noted_count_, 0);
            noted_.clear();
        } else if (!closing_ && noted_count_ > 0) {
            co_await work_.wait(shard_.now() + std::chrono::seconds{1});
        }
        co_return false;
    }
    encode_batch();
    const bool written = co_await write_encoded(*segment);
    settle_batch(segment, written);
    co_return written;
}

// There is no room for it. What the spool does to get room goes on.
void Journal::refuse_new_mail() {
    for (Pending* pending : chosen_) {
        if (!pending->moved) shard_.reactor().schedule(pending->waiter);
    }
    std::erase_if(chosen_, [](const Pending* one) { return !one->moved; });
}

// A quarter of a segment at most: what needs a segment of its own size is not recycled.
std::size_t Journal::most_at_once(std::size_t octets) const {
    return std::min<std::size_t>(octets, store_.options().segment_size / 4);
}

// Takes messages off the queue as far as a batch goes; answers what all may take at most.
std::size_t Journal::choose_batch() {
    std::size_t most = noted_.size() + noted_count_ * kRecordHeader;
    while (!pending_.empty()) {
        const std::size_t octets = most_record_octets(*pending_.front().message);
        if (!chosen_.empty() && most + octets > most_at_once(kBatchOctets)) break;
        most += octets;
        chosen_.push_back(&pending_.pop_front());
        --pending_count_;
    }
    return most;
}

// Outcomes stand before messages: those of a message that is moved use the numbers that its
// recipients had before.
void Journal::encode_batch() {
    outcomes_.swap(noted_);
    noted_.clear();
    outcome_count_ = std::exchange(noted_count_, 0);
    records_octets_ = outcomes_.size() + outcome_count_ * (kRecordHeader - sizeof(std::uint32_t));
    bodies_.clear();
    placed_.clear();
    for (const Pending* pending : chosen_) {
        Placed placed{.body = bodies_.size()};
        encode_message(*pending->message, pending->moved, bodies_);
        placed.body_octets = bodies_.size() - placed.body;
        placed_.push_back(placed);
        records_octets_ += kRecordHeader + placed.body_octets + pending->message->size();
    }
}

core::Task<bool> Journal::write_encoded(Segment& segment) {
    writing_ = &segment;
    write_at_ = segment.used;
    staged_ = 0;
    char header[kRecordHeader > kBatchHeader ? kRecordHeader : kBatchHeader];
    write_batch_header(segment.name, segment.batches + 1,
                       outcome_count_ + static_cast<std::uint32_t>(chosen_.size()), records_octets_,
                       header);
    if (!co_await put({header, kBatchHeader})) co_return false;
    Reader outcomes(outcomes_);
    while (!outcomes.at_end()) {
        const std::string_view body = outcomes.text(outcomes.number<std::uint32_t>());
        const std::uint32_t nothing = checksum_seed(segment.name);
        write_record_header(segment.name, RecordType::outcome, body, 0, nothing, header);
        if (!co_await put({header, kRecordHeader}) || !co_await put(body)) co_return false;
    }
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
        if (!co_await put_message(segment, *chosen_[i]->message, placed_[i])) co_return false;
    }
    const std::size_t padded = (staged_ + kSegmentBlock - 1) / kSegmentBlock * kSegmentBlock;
    std::memset(staging_.data() + staged_, 0, padded - staged_);
    if (padded > 0 && !co_await flush(padded)) co_return false;
    co_return true;
}

core::Task<bool> Journal::put_message(Segment& segment, const Message& message, Placed& placed) {
    std::vector<iovec> parts;
    message.content.gather(parts);
    const auto view = [](const iovec& part) {
        return std::string_view(static_cast<const char*>(part.iov_base), part.iov_len);
    };
    placed.checksum = checksum_seed(segment.name);
    for (const iovec& part : parts)
        placed.checksum = crc32c(placed.checksum, view(part));
    const std::string_view body = std::string_view(bodies_).substr(placed.body, placed.body_octets);
    char header[kRecordHeader];
    write_record_header(segment.name, RecordType::message, body, message.size(), placed.checksum,
                        header);
    if (!co_await put({header, kRecordHeader}) || !co_await put(body)) co_return false;
    placed.content_offset = static_cast<std::uint32_t>(write_at_ + staged_);
    for (const iovec& part : parts) {
        if (!co_await put(view(part))) co_return false;
    }
    co_return true;
}

core::Task<bool> Journal::put(std::string_view octets) {
    while (!octets.empty()) {
        const std::size_t step = std::min(octets.size(), staging_.size() - staged_);
        std::memcpy(staging_.data() + staged_, octets.data(), step);
        staged_ += step;
        octets.remove_prefix(step);
        if (staged_ == staging_.size() && !co_await flush(staged_)) co_return false;
    }
    co_return true;
}

core::Task<bool> Journal::flush(std::size_t octets) {
    const auto written = co_await core::write_fully(shard_, writing_->writer,
                                                    staging_.first(octets), write_at_, true);
    if (!written) {
        // What the disk holds now is not known, and a later sync would not tell (fsync forgets).
        space_.fail("writing the journal in " + store_.options().directory +
                    " failed: " + written.error().message());
        co_return false;
    }
    write_at_ += octets;
    stats_.octets += octets;
    staged_ = 0;
    co_return true;
}

void Journal::settle_batch(Segment* segment, bool written) {
    if (written) {
        segment->used = write_at_;
        ++segment->batches;
        ++stats_.batches;
        stats_.messages += chosen_.size();
        stats_.outcomes += outcome_count_;
    } else if (segment != nullptr) {
        stats_.outcomes_dropped += outcome_count_;
    }
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
        Pending& pending = *chosen_[i];
        Message& message = *pending.message;
        if (written) {
            if (pending.moved) message.place.segment->drop(message);
            message.place.content_offset = placed_[i].content_offset;
            message.place.content_checksum = placed_[i].checksum;
            message.place.octets =
                static_cast<std::uint32_t>(kRecordHeader + placed_[i].body_octets + message.size());
            segment->keep(message);
            if (!pending.moved)
                metrics_.spool().commit_seconds.observe(shard_.now() - pending.since);
        }
        pending.written = written;
        if (pending.waiter) shard_.reactor().schedule(pending.waiter);
    }
    chosen_.clear();
}

core::Task<std::unique_ptr<char[]>> Journal::read_content(Message& message) {
    Segment& segment = *message.place.segment;
    const std::uint32_t expected = message.place.content_checksum;
    const std::size_t size = message.size();
    auto octets = std::make_unique_for_overwrite<char[]>(size);
    const auto read =
        co_await store_.read(segment, {octets.get(), size}, message.place.content_offset);
    if (!read) {
        core::log_error("reading message {} back from {} failed: {}", message.id.to_string(),
                        segment_file_name(segment.name.sequence), read.error().message());
        co_return nullptr;
    }
    if (crc32c(checksum_seed(segment.name), {octets.get(), size}) != expected) {
        core::log_error("message {} is damaged in {}", message.id.to_string(),
                        segment_file_name(segment.name.sequence));
        co_return nullptr;
    }
    co_return std::move(octets);
}

// ---- house-keeping

core::Task<void> Journal::keep_house() {
    while (!closing_ && !space_.failed()) {
        if (store_.spare_wanted()) co_await store_.prepare_spare();
        if (recovered_ && store_.oldest_dead()) co_await store_.give_up_dead();
        if (recovered_ && too_slack()) co_await move_survivors();
        if (closing_ || store_.spare_wanted() || (recovered_ && store_.oldest_dead())) continue;
        co_await house_work_.wait(shard_.now() + std::chrono::seconds{1});
    }
}

bool Journal::too_slack() {
    std::uint64_t sealed = 0;
    for (const auto& segment : store_.segments()) {
        if (segment.get() != store_.active()) sealed += segment->used;
    }
    const bool survivors = store_.segments().size() > 1 && !store_.segments().front()->live.empty();
    return survivors && store_.segments().front().get() != store_.active() &&
           shard_.now() >= compact_after_ &&
           sealed > kSlack * store_.live_octets() + 2 * store_.options().segment_size;
}

core::Task<void> Journal::move_survivors() {
    Segment& oldest = *store_.segments().front();
    while (!closing_ && !space_.failed() && !oldest.live.empty()) {
        const core::Instant begun = shard_.now();
        const std::size_t moved = co_await move_some(oldest);
        if (moved == 0) {  // unreadable: try again when some of them have expired
            compact_after_ = shard_.now() + std::chrono::minutes{1};
            co_return;
        }
        stats_.moved += moved;
        const auto share = std::chrono::nanoseconds{moved * 1'000'000'000 / kCompactionRate};
        if (begun + share > shard_.now()) {
            core::Event never(shard_.reactor());
            co_await never.wait(begun + share);
        }
    }
}

// Copies some messages forward, all at once, so that they share batches as they did before. Answers
// how many octets; 0 when none of them could be read.
core::Task<std::size_t> Journal::move_some(Segment& oldest) {
    std::vector<Message*> chosen;
    std::size_t octets = 0;
    oldest.live.for_each([&](Message& message) {
        if (octets >= most_at_once(kCompactionStep)) return;
        octets += message.place.octets;
        message.moving = true;
        chosen.push_back(&message);
    });
    std::size_t moved = 0;
    core::TaskGroup moves(shard_.reactor());
    for (Message* message : chosen)
        moves.spawn(move_one(message, &moved));
    co_await moves.close();
    co_return moved;
}

core::Task<void> Journal::move_one(Message* message, std::size_t* octets) {
    bool moved = false;
    if (co_await keeper_->hold_content(*message)) {
        Committing committing(*this, *message);
        committing.moved = true;
        moved = co_await committing;
        keeper_->let_content_go(*message);
    }
    message->moving = false;
    if (moved) *octets += message->place.octets;
    if (message->open_recipients == 0) keeper_->free_moved(*message);
}

}  // namespace relay
