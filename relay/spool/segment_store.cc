#include "relay/spool/segment_store.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/base/assert.h"
#include "core/base/log.h"
#include "core/file/file.h"

namespace relay {

namespace {

constexpr std::string_view kSpareSuffix = ".free";
constexpr std::string_view kDamagedSuffix = ".damaged";

}  // namespace

SegmentStore::SegmentStore(core::Shard& shard, core::Disk& disk, SpoolSpace& space,
                           Journal& journal, JournalOptions options)
    : shard_(shard),
      disk_(disk),
      space_(space),
      journal_(journal),
      options_(std::move(options)),
      header_(kSegmentBlock) {}

SegmentStore::~SegmentStore() {
    for (const auto& segment : segments_) {
        close_writer(*segment);
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
    auto names = disk_.list(options_.directory);
    if (!names) return wrong(names.error());
    std::ranges::sort(*names);
    for (const std::string& name : *names) {
        if (name.ends_with(kSpareSuffix)) {
            // Made by an earlier run: its zeros may not have come to the disk, so it is made anew.
            if (const auto removed = disk_.remove(path(name)); !removed) {
                return wrong(removed.error());
            }
            continue;
        }
        const bool kept = name.ends_with(kDamagedSuffix);
        const auto sequence =
            sequence_of(name.substr(0, name.size() - (kept ? kDamagedSuffix.size() : 0)));
        if (!sequence) continue;
        next_sequence_ = *sequence + 1;  // they are sorted
        const auto size = size_of(name);
        if (size) space_.grown(*size);
        if (kept) continue;  // for a person to look at; it takes room, and its number
        if (!size) return core::failure(path(name) + ": " + size.error().message());
        auto segment = std::make_unique<Segment>(journal_, SegmentName{options_.id, *sequence});
        segment->size = segment->used = *size;
        segment->scanned = false;
        segments_.push_back(std::move(segment));
    }
    return {};
}

core::IoResult<std::uint64_t> SegmentStore::size_of(const std::string& name) {
    const auto file = disk_.open(path(name), core::Access::read);
    if (!file) return std::unexpected(file.error());
    const auto size = disk_.size(*file);
    disk_.close(*file);
    return size;
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
    auto segment = std::make_unique<Segment>(journal_, SegmentName{options_.id, next_sequence_++});
    segment->salt = options_.salt;
    segment->seed = checksum_seed(segment->name, segment->salt);
    segment->size = size;
    segment->used = kSegmentBlock;
    if (!co_await name_segment(file, *segment)) {
        close_writer(*segment);
        co_return false;
    }
    if (active_ != nullptr) close_writer(*active_);
    active_ = segment.get();
    segments_.push_back(std::move(segment));
    co_return true;
}

// The header first, then the name: a file with a segment's name always has its header.
core::Task<bool> SegmentStore::name_segment(const std::string& file, Segment& segment) {
    const auto writer = open_writer(file);
    if (!writer) {
        fail("cannot open a segment in", writer.error());
        co_return false;
    }
    segment.writer = *writer;
    write_segment_header(segment.name, segment.salt, segment.size, active_ == nullptr,
                         header_.data());
    const auto written =
        co_await core::write_fully(shard_, segment.writer, header_.first(kSegmentBlock), 0, true);
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

core::IoResult<core::Handle> SegmentStore::open_writer(const std::string& name) {
    return disk_.open(path(name), options_.direct ? core::Access::direct : core::Access::write);
}

bool SegmentStore::make_file(const std::string& name, std::uint64_t size) {
    const auto file = disk_.open(path(name), core::Access::write);
    core::IoResult<void> made;
    if (!file) {
        made = std::unexpected(file.error());
    } else {
        made = disk_.allocate(*file, size);
        disk_.close(*file);
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
    if (segment.writer != core::kNoHandle) disk_.close(segment.writer);
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
        fail("cannot open a segment in", writer.error());
        co_return;
    }
    core::AlignedBuffer zeros(kZeros);
    std::ranges::fill(zeros.first(kZeros), '\0');
    core::IoResult<void> written;
    for (std::uint64_t at = 0; written && at < options_.segment_size; at += kZeros) {
        const auto step = std::min<std::uint64_t>(kZeros, options_.segment_size - at);
        written = co_await core::write_fully(shard_, *writer, zeros.first(step), at, false);
    }
    if (written) written = co_await core::sync(shard_, *writer);
    disk_.close(*writer);
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
    std::vector<std::string> recycled;
    while (oldest_dead()) {
        const std::unique_ptr<Segment> segment = std::move(segments_.front());
        segments_.pop_front();
        close_reader(*segment);
        const std::string file = path(segment_file_name(segment->name.sequence));
        const bool keep = !options_.adopted && segment->size == options_.segment_size &&
                          spares_.size() + recycled.size() < (space_.full() ? 1 : kSpares);
        core::IoResult<void> gone;
        if (segment->damaged) {
            const std::string kept = file + std::string(kDamagedSuffix);
            core::log_error("{} is kept, since not all of it could be read", kept);
            gone = disk_.rename(file, kept);
        } else if (keep) {
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
    }
    // Before anything of it, or of what stood behind it, is written over.
    if (const auto synced = co_await core::sync(shard_, directory_); !synced) {
        fail("cannot sync", synced.error());
        co_return;
    }
    std::ranges::move(recycled, std::back_inserter(spares_));
}

// ---- reading

core::Task<core::IoResult<void>> SegmentStore::read(Segment& segment, std::span<char> octets,
                                                    std::uint64_t offset) {
    if (segment.reader == core::kNoHandle) {
        const auto file =
            disk_.open(path(segment_file_name(segment.name.sequence)), core::Access::read);
        if (!file) co_return std::unexpected(file.error());
        segment.reader = *file;
    }
    ++segment.readers;
    auto result = co_await core::read_fully(shard_, segment.reader, octets, offset);
    --segment.readers;
    co_return result;
}

void SegmentStore::close_reader(Segment& segment) {
    if (segment.readers > 0 || segment.reader == core::kNoHandle) return;
    disk_.close(segment.reader);
    segment.reader = core::kNoHandle;
}

std::uint64_t SegmentStore::live_octets() const {
    std::uint64_t octets = 0;
    for (const auto& segment : segments_)
        octets += segment->live_octets;
    return octets;
}

void SegmentStore::fail(const std::string& what, const std::error_code& error) {
    space_.fail(what + " " + options_.directory + ": " + error.message());
}

}  // namespace relay
