#include "relay/spool/segment_store.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/base/assert.h"
#include "core/base/log.h"
#include "core/file/file.h"
#include "core/runtime/next_turn.h"
#include "relay/spool/patient_write.h"

namespace relay {

SegmentStore::SegmentStore(core::Shard& shard, core::Disk& disk, SpoolSpace& space,
                           Journal& journal, JournalOptions options)
    : shard_(shard),
      disk_(disk),
      space_(space),
      journal_(journal),
      options_(std::move(options)),
      files_(disk, options_.directory, options_.adopted ? 1 : FileReserve::kReserve),
      readers_(shard, disk, files_, options_.directory),
      chain_(shard, disk, chain_path(options_.spool, options_.id)),
      header_(kSegmentBlock) {}

SegmentStore::~SegmentStore() {
    for (const auto& segment : segments_) {
        if (segment->writer != core::kNoHandle) disk_.close(segment->writer);
        if (segment->reader != core::kNoHandle) disk_.close(segment->reader);
    }
    if (directory_ != core::kNoHandle) disk_.close(directory_);
}

core::Result<void> SegmentStore::open() {
    const auto wrong = [&](const std::error_code& error) {
        return core::failure(options_.directory + ": " + error.message());
    };
    if (const auto made = disk_.make_directory(options_.directory); !made) {
        return wrong(made.error());
    }
    const std::string above = options_.directory.substr(0, options_.directory.rfind('/'));
    if (const auto synced = disk_.sync_directory(above); !synced) return wrong(synced.error());
    const auto directory = disk_.open(options_.directory, core::Access::directory);
    if (!directory) return wrong(directory.error());
    directory_ = *directory;
    auto looked = look_at_journal(disk_, options_.spool, options_.id);
    if (!looked) return std::unexpected(looked.error());
    found_ = std::move(*looked);
    if (!found_.complaint.empty()) {
        core::log_error("spool {} {}", chain_.path(), found_.complaint);
        ++damages_at_open_;
    }
    for (const JournalFiles::Stranger& one : found_.strangers) {
        if (auto aside = set_aside(one); !aside) return aside;
    }
    // Spares of an earlier run: their zeros may not have come to the disk, so they are made again.
    for (const std::string& name : found_.spares) {
        if (const auto removed = disk_.remove(path(name)); !removed) return wrong(removed.error());
    }
    space_.grown(found_.kept_octets);
    for (const JournalFiles::File& file : found_.segments) {
        space_.grown(file.octets);
        auto segment = std::make_unique<Segment>(journal_, SegmentName{options_.id, file.sequence});
        segment->size = segment->used = file.octets;
        segment->scanned = false;
        segment->sealed = found_.chain && found_.chain->seal_of(file.sequence) != nullptr;
        segments_.push_back(std::move(segment));
    }
    if (found_.newest >= kLastSequence) {
        return core::failure(path(segment_file_name(found_.newest)) +
                             ": there is no number for a segment after this one");
    }
    next_sequence_ = found_.newest + 1;
    Chain chain = found_.chain.value_or(Chain{});
    chain.journal = options_.id;
    chain.oldest = found_.oldest;
    chain.newest = found_.newest;
    if (auto opened = chain_.open(std::move(chain), found_.chain.has_value()); !opened) {
        return core::failure(chain_.path() + ": " + opened.error().message());
    }
    files_.fill();
    return {};
}

core::Result<void> SegmentStore::set_aside(const JournalFiles::Stranger& stranger) {
    const std::string file = path(stranger.name);
    if (!stranger.in_the_way) {
        core::log_warning("{} {}: it is left alone", core::escaped(file), stranger.what);
        return {};
    }
    // Its number will be needed, and what has that name then would be written over.
    std::string aside = file + std::string(kStrangerSuffix);
    for (int copy = 2; disk_.facts(aside) && copy < 100; ++copy)
        aside = fmt::format("{}.{}{}", file, copy, kStrangerSuffix);
    if (const auto renamed = disk_.rename(file, aside); !renamed) {
        return core::failure(file + " " + stranger.what +
                             " and cannot be renamed: " + renamed.error().message());
    }
    core::log_error("{} {}, and is none of this journal's segments: it is set aside as {}", file,
                    stranger.what, aside);
    ++damages_at_open_;
    return {};
}

// ---- the segment that is written

core::Task<Segment*> SegmentStore::room_for(std::size_t octets, Need need) {
    if (has_room(octets)) co_return active_;
    const std::uint64_t size =
        std::max<std::uint64_t>(options_.segment_size, kSegmentBlock + octets);
    if (!co_await activate(size, need)) co_return nullptr;
    co_return active_;
}

core::Task<bool> SegmentStore::activate(std::uint64_t size, Need need) {
    std::string file;
    const bool spare = size == options_.segment_size && !spares_.empty();
    // The others leave a spare behind, or room for one.
    const bool last = need == Need::any && spares_.size() <= (spare ? 1U : 0U);
    const std::uint64_t grows = (spare ? 0 : size) + (last ? options_.segment_size : 0);
    if (grows > 0 && !space_.may_grow(grows)) co_return false;
    if (spare) {
        file = spares_.back();
        spares_.pop_back();
    } else {
        file = new_spare_name();
        if (!make_file(file, size)) co_return false;
    }
    // A journal that has none yet: a segment of this version is never without.
    if (!chain_.made() && !co_await write_chain()) {
        put_back(file, size);
        co_return false;
    }
    auto segment = std::make_unique<Segment>(journal_, SegmentName{options_.id, next_sequence_});
    segment->salt = options_.salt;
    segment->seed = checksum_seed(segment->name, segment->salt);
    segment->size = size;
    segment->used = kSegmentBlock;
    segment->seal.checksum = segment->seed;
    if (!co_await name_segment(file, *segment, spare)) {
        close_writer(*segment);
        if (!space_.failed()) put_back(file, size);
        co_return false;
    }
    chain_.chain.newest = next_sequence_++;
    if (!co_await write_chain()) {
        close_writer(*segment);
        co_return false;
    }
    if (active_ != nullptr) {
        active_->sealed = true;  // in the header of this one
        close_writer(*active_);
    }
    active_ = segment.get();
    segments_.push_back(std::move(segment));
    co_return true;
}

// The header first, then the name: a file with a segment's name always has its header.
core::Task<bool> SegmentStore::name_segment(const std::string& file, Segment& segment, bool spare) {
    const auto writer = open_writer(file);
    if (!writer) {
        fail("cannot open a segment in", writer.error());
        co_return false;
    }
    segment.writer = *writer;
    write_segment_header({.name = segment.name,
                          .salt = segment.salt,
                          .size = segment.size,
                          .begins_run = active_ == nullptr,
                          .before = seal_before(segment.name.sequence)},
                         header_.data());
    auto written =
        co_await write_patiently(shard_, segment.writer, header_.first(kSegmentBlock), 0, true);
    // With its size, as a spare has it: a file that is shorter than its header says is damaged.
    if (written && !spare) written = co_await core::sync(shard_, segment.writer);
    if (!written) {
        fail("cannot write the header of a segment in", written.error());
        co_return false;
    }
    if (const auto renamed =
            disk_.rename(path(file), path(segment_file_name(segment.name.sequence)));
        !renamed) {
        fail("cannot name a segment in", renamed.error());
        co_return false;
    }
    if (const auto synced = co_await core::sync(shard_, directory_); !synced) {
        fail("cannot sync", synced.error());
        co_return false;
    }
    co_return true;
}

std::optional<Seal> SegmentStore::seal_before(std::uint64_t sequence) const {
    if (active_ != nullptr) return active_->seal;
    const Seal* const seal = chain_.chain.seal_of(sequence - 1);
    return seal == nullptr ? std::nullopt : std::optional(*seal);
}

core::Task<bool> SegmentStore::write_chain() {
    if (const auto written = co_await chain_.write(); !written) {
        // What it opens, it opens only to make the file: nothing refers to that yet.
        fail("cannot write the chain of", written.error());
        co_return false;
    }
    co_return true;
}

// A file that did not become a segment, since something was wanting that will be there again.
void SegmentStore::put_back(const std::string& file, std::uint64_t size) {
    if (size == options_.segment_size) {
        spares_.push_back(file);
    } else {
        discard(file, size);
    }
}

void SegmentStore::discard(const std::string& file, std::uint64_t size) {
    if (const auto gone = disk_.remove(path(file)); !gone) {
        return fail("cannot remove a spare segment of", gone.error());
    }
    space_.shrunk(size);
}

core::IoResult<core::Handle> SegmentStore::open_writer(const std::string& name) {
    return readers_.open_file(name, options_.direct ? core::Access::direct : core::Access::write);
}

bool SegmentStore::make_file(const std::string& name, std::uint64_t size) {
    const auto file = readers_.open_file(name, core::Access::write);
    core::IoResult<void> made;
    if (!file) {
        made = std::unexpected(file.error());
    } else {
        made = disk_.allocate(*file, size);
        files_.close(*file);
        if (made) {
            space_.grown(size);
            return true;
        }
        if (const auto removed = disk_.remove(path(name)); !removed) {
            core::log_warning("{} stays: {}", path(name), removed.error().message());
        }
    }
    if (made.error().value() == ENOSPC || made.error().value() == EDQUOT) {
        space_.out_of_space(size);
    } else {
        fail("cannot make a segment in", made.error());
    }
    return false;
}

void SegmentStore::close_writer(Segment& segment) {
    if (segment.writer != core::kNoHandle) files_.close(segment.writer);
    segment.writer = core::kNoHandle;
}

std::string SegmentStore::new_spare_name() {
    return fmt::format("{:016}{}", next_spare_++, kSpareSuffix);
}

// ---- spares

bool SegmentStore::spare_wanted() const {
    return !options_.adopted && spares_.empty() && active_ != nullptr &&
           active_->used > active_->size / 2 && !space_.full() && !space_.failed();
}

core::Task<void> SegmentStore::prepare_spare() {
    if (!space_.may_grow(options_.segment_size)) co_return;
    const std::string name = new_spare_name();
    if (!make_file(name, options_.segment_size)) co_return;
    const auto writer = open_writer(name);
    if (!writer) {
        discard(name, options_.segment_size);
        fail("cannot open a segment in", writer.error());
        co_return;
    }
    core::AlignedBuffer zeros(kZeros);
    std::ranges::fill(zeros.first(kZeros), '\0');
    core::IoResult<void> written;
    for (std::uint64_t at = 0; written && at < options_.segment_size; at += kZeros) {
        const auto step = std::min<std::uint64_t>(kZeros, options_.segment_size - at);
        written = co_await write_patiently(shard_, *writer, zeros.first(step), at, false);
    }
    if (written) written = co_await core::sync(shard_, *writer);
    files_.close(*writer);
    if (!written) {
        fail("cannot fill a segment in", written.error());
        co_return;
    }
    spares_.push_back(name);
}

void SegmentStore::trim_spares() {
    while (space_.full() && spares_.size() > 1) {
        if (const auto gone = disk_.remove(path(spares_.back())); !gone) {
            return fail("cannot remove a spare segment of", gone.error());
        }
        spares_.pop_back();
        space_.shrunk(options_.segment_size);
    }
}

// ---- giving up

bool SegmentStore::oldest_dead() {
    return !segments_.empty() && segments_.front().get() != active_ && segments_.front()->dead();
}

core::Task<void> SegmentStore::give_up_dead() {
    std::vector<std::unique_ptr<Segment>> dead;
    while (oldest_dead()) {
        dead.push_back(std::move(segments_.front()));
        segments_.pop_front();
        readers_.close(*dead.back());
    }
    if (!keep_damaged(dead)) co_return;
    // Before a file goes, so that it is not missed.
    chain_.chain.give_up_before(segments_.empty() ? chain_.chain.newest + 1
                                                  : segments_.front()->name.sequence);
    if (!co_await write_chain()) co_return;
    std::vector<std::string> recycled;
    for (const auto& segment : dead) {
        if (segment->damaged) continue;
        const std::string file = path(segment_file_name(segment->name.sequence));
        const bool keep = !options_.adopted && segment->size == options_.segment_size &&
                          spares_.size() + recycled.size() < (space_.full() ? 1 : kSpares);
        core::IoResult<void> gone;
        if (keep) {
            recycled.push_back(new_spare_name());
            gone = disk_.rename(file, path(recycled.back()));
        } else {
            gone = disk_.remove(file);
            space_.shrunk(segment->size);
        }
        if (!gone) {
            fail("cannot give up a segment of", gone.error());
            co_return;
        }
        // Each takes its time of the disk: a start may find a thousand of them.
        co_await core::NextTurn{shard_.reactor()};
    }
    // Before anything of it, or of what stood after it, is written over.
    if (const auto synced = co_await core::sync(shard_, directory_); !synced) {
        fail("cannot sync", synced.error());
        co_return;
    }
    std::ranges::move(recycled, std::back_inserter(spares_));
}

// They are not read again, but may be readable for somebody.
bool SegmentStore::keep_damaged(const std::vector<std::unique_ptr<Segment>>& dead) {
    for (const auto& segment : dead) {
        if (!segment->damaged) continue;
        const std::string file = path(segment_file_name(segment->name.sequence));
        const std::string kept = file + std::string(kDamagedSuffix);
        core::log_error("{} is kept, since not all of it could be read", kept);
        if (const auto renamed = disk_.rename(file, kept); !renamed) {
            fail("cannot rename a damaged segment of", renamed.error());
            return false;
        }
    }
    return true;
}

// ---- seals

void SegmentStore::seal(Segment& segment) {
    if (segment.sealed || segment.damaged || segment.dead()) return;
    chain_.chain.seal(segment.name.sequence, segment.seal);
    segment.sealed = true;
    seals_noted_ = true;
}

core::Task<void> SegmentStore::write_seals() {
    seals_noted_ = false;
    co_await write_chain();
}

core::Task<void> SegmentStore::close() {
    if (space_.failed()) co_return;
    if (active_ != nullptr && active_->used > kSegmentBlock) {
        chain_.chain.seal(active_->name.sequence, active_->seal);
        seals_noted_ = true;
    }
    if (seals_noted_) co_await write_seals();
}

std::uint64_t SegmentStore::live_octets() const {
    std::uint64_t octets = 0;
    for (const auto& segment : segments_)
        octets += segment->live_octets;
    return octets;
}

void SegmentStore::fail(const std::string& what, const std::error_code& error) {
    const std::string sentence = what + " " + options_.directory + ": " + error.message();
    if (passes(error)) {
        space_.cannot_open(sentence);
    } else {
        space_.fail(sentence);
    }
}

}  // namespace relay
