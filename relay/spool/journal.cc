#include "relay/spool/journal.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/assert.h"
#include "core/base/log.h"
#include "core/file/file.h"
#include "core/runtime/slices.h"

namespace relay {

Journal::Journal(core::Shard& shard, core::Disk& disk, SpoolSpace& space,
                 metrics::ShardMetrics& metrics, JournalOptions options)
    : shard_(shard),
      space_(space),
      metrics_(metrics),
      store_(shard, disk, space, *this, std::move(options)),
      work_(shard.reactor()),
      landed_(shard.reactor()),
      house_work_(shard.reactor()),
      writers_(shard.reactor()),
      house_(shard.reactor()) {}

Journal::~Journal() {
    PH_ASSERT(pending_.empty());
}

void Journal::start(MessageKeeper& keeper) {
    keeper_ = &keeper;
    for (std::size_t writer = 0; writer < kWriters; ++writer)
        writers_.spawn(write_batches(writer));
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
    co_await writers_.close();
    co_await store_.close();
}

// ---- what comes in

class Journal::Committing final : public PendingMessage {
  public:
    Committing(Journal& journal, Message& owner) : PendingMessage(owner), journal_(journal) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
        waiter = handle;
        since = journal_.shard_.now();
        journal_.pending_.push_back(*this);
        ++journal_.pending_count_;
        if (journal_.work_due()) journal_.work_.notify_one();
    }
    bool await_resume() const noexcept { return written; }

  private:
    Journal& journal_;
};

core::Task<bool> Journal::commit(Message& message) {
    Committing committing(*this, message);
    core::Slices slices(shard_.reactor());
    std::uint32_t index = 0;
    for (const auto& recipient : message.recipients) {
        recipient->index = index++;
        co_await slices.next();
    }
    if (index > core::kSlice) {
        MessageEncoder encoder(message, false, committing.body);
        while (encoder.advance(core::kSlice))
            co_await core::NextTurn{shard_.reactor()};
    }
    PH_ASSERT(!closing_);
    co_return co_await committing;
}

void Journal::note(const OutcomeRecord& outcome) {
    if (noted_.octets() > kMostNoted || space_.failed()) {
        ++stats_.outcomes_dropped;
        return;
    }
    noted_.add(outcome);
    if (noted_.count() > 1) return;
    noted_since_ = shard_.now();
    work_.notify_one();
}

bool Journal::forget(Message& message) {
    Segment& segment = *message.place.segment;
    if (message.moving) return false;
    segment.drop(message);
    if (store_.oldest_dead()) house_work_.notify_all();
    return true;
}

// ---- batches

core::Task<void> Journal::write_batches(std::size_t writer) {
    while (true) {
        co_await wait_for_work();
        if (!anything_to_write()) break;
        if (!co_await write_batch(batches_[writer]) && ending_) break;
        if (store_.spare_wanted()) house_work_.notify_all();
    }
    work_.notify_all();  // the others may end, too
}

core::Task<void> Journal::wait_for_work() {
    while (!work_due()) {
        if (ending_ && !anything_to_write()) co_return;
        const bool patient = !noted_.empty() && !choosing_ && under_way_.empty();
        co_await work_.wait(patient ? noted_since_ + kNotedPatience : core::kNever);
    }
}

bool Journal::work_due() const {
    if (choosing_ || !anything_to_write()) return false;
    if (!under_way_.empty()) return pending_count_ >= kCrowd;
    return pending_count_ > 0 || ending_ || noted_since_ + kNotedPatience <= shard_.now();
}

core::Task<bool> Journal::write_batch(Batch& batch) {
    choosing_ = true;
    const std::size_t most = choose(batch);
    Segment* segment = co_await find_room(batch, batch_octets(most));
    if (segment == nullptr) {
        give_up(batch);
        choosing_ = false;
        co_return false;
    }
    co_await batch.sum_up(*segment, shard_.reactor());
    // Outcomes may have come while it waited.
    batch.encode(*segment, unfinished_before(*segment), noted_,
                 std::max(most, most_at_once(kBatchOctets)));
    under_way_.push_back(&batch);
    choosing_ = false;
    if (work_due()) work_.notify_one();
    const auto written = co_await batch.write(shard_);
    settle(batch, written);
    co_return written.has_value();
}

// Takes messages off the queue as far as a batch goes; answers for how much there must be room.
std::size_t Journal::choose(Batch& batch) {
    std::size_t most =
        std::min(noted_.octets() + noted_.count() * kRecordHeader, most_at_once(kBatchOctets));
    while (!pending_.empty()) {
        const std::size_t octets = Batch::most_octets(pending_.front());
        if (batch.has_messages() && most + octets > most_at_once(kBatchOctets)) break;
        most += octets;
        batch.add(pending_.pop_front(), octets);
        --pending_count_;
    }
    return most;
}

// A quarter of a segment at most: what needs a segment of its own size is not recycled.
std::size_t Journal::most_at_once(std::size_t octets) const {
    return std::min<std::size_t>(octets, store_.options().segment_size / 4);
}

// Null: there is none. New mail was refused then, while what the spool does to get room goes on.
core::Task<Segment*> Journal::find_room(Batch& batch, std::size_t octets) {
    // Before the first batch in a segment, all that stands in older ones is durable.
    while (!store_.has_room(octets) && !under_way_.empty())
        co_await landed_.wait();
    if (space_.failed()) co_return nullptr;
    Segment* segment = co_await store_.room_for(octets, SegmentStore::Need::any);
    if (segment != nullptr || space_.failed()) co_return segment;
    batch.refuse_new_mail(shard_.reactor());
    // Outcomes alone wait for the room that is kept back for them, or take it as its first.
    if (!batch.has_messages() && store_.active() != nullptr) co_return nullptr;
    co_return co_await store_.room_for(octets, SegmentStore::Need::moving);
}

// There is no room. Outcomes wait for it; a message is refused.
void Journal::give_up(Batch& batch) {
    batch.settle(false, shard_.reactor(), [](const PendingMessage&) {});
    if (space_.failed()) {
        stats_.outcomes_dropped += noted_.count();
        noted_.clear();
    } else {
        noted_since_ = shard_.now() + kNoSpacePatience - kNotedPatience;
    }
}

std::uint32_t Journal::unfinished_before(const Segment& segment) const {
    if (under_way_.empty()) return 0;
    return static_cast<std::uint32_t>(segment.batches + 1 - under_way_.front()->number());
}

void Journal::settle(Batch& batch, const core::IoResult<void>& written) {
    std::erase(under_way_, &batch);
    landed_.notify_all();
    if (written) {
        ++stats_.batches;
        stats_.octets += batch.octets();
        stats_.messages += batch.messages();
        stats_.outcomes += batch.outcomes();
    } else {
        // What the disk holds now is not known, and a later sync would not tell (fsync forgets).
        space_.fail("writing the journal in " + store_.options().directory +
                    " failed: " + written.error().message());
        stats_.outcomes_dropped += batch.outcomes();
    }
    const core::Instant now = shard_.now();
    batch.settle(written.has_value(), shard_.reactor(), [&](const PendingMessage& pending) {
        if (!pending.moved) metrics_.spool().commit_seconds.observe(now - pending.since);
    });
}

core::Task<std::unique_ptr<char[]>> Journal::read_content(Message& message) {
    Segment& segment = *message.place.segment;
    const std::string name = segment_file_name(segment.name.sequence);
    std::uint32_t checksum = segment.seed;
    const std::uint32_t expected = message.place.content_checksum;
    const std::size_t size = message.size();
    auto octets = std::make_unique_for_overwrite<char[]>(size);
    const auto read =
        co_await store_.readers().read(segment, {octets.get(), size}, message.place.content_offset);
    if (!read) {
        core::log_error("reading message {} back from {} failed: {}", message.id.to_string(), name,
                        read.error().message());
        co_return nullptr;
    }
    // The segment may be gone from here on: a copy of the message may live elsewhere.
    for (std::size_t at = 0; at < size; at += kCheckStep) {
        if (at > 0) co_await core::NextTurn{shard_.reactor()};
        checksum = crc32c(checksum, {octets.get() + at, std::min(kCheckStep, size - at)});
    }
    if (checksum != expected) {
        core::log_error("message {} is damaged in {}", message.id.to_string(), name);
        co_return nullptr;
    }
    co_return std::move(octets);
}

// ---- house-keeping

core::Task<void> Journal::keep_house() {
    while (!closing_ && !space_.failed()) {
        if (store_.spare_wanted()) co_await store_.prepare_spare();
        store_.trim_spares();
        if (recovered_ && store_.oldest_dead()) co_await store_.give_up_dead();
        if (recovered_ && store_.seals_wanted()) co_await store_.write_seals();
        if (recovered_ && too_slack()) co_await move_survivors();
        if (closing_ || store_.spare_wanted() || (recovered_ && store_.oldest_dead())) continue;
        co_await house_work_.wait(shard_.now() + std::chrono::seconds{1});
    }
}

bool Journal::too_slack() {
    std::uint64_t sealed = 0;
    for (const auto& segment : store_.segments()) {
        if (segment.get() != store_.active()) sealed += segment->size;  // also what is empty of it
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
    oldest.live.for_each_while([&](Message& message) {
        octets += message.place.octets;
        message.moving = true;
        chosen.push_back(&message);
        return octets < most_at_once(kCompactionStep) && chosen.size() < kMostMoved;
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
