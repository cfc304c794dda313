// SegmentStore: the files of one journal: a directory of segments, oldest first, of which the last
// is written, and spare files. Spares are recycled or made ahead of need and filled with zeros, so
// that writing changes no metadata of the file system. Segments are given up oldest first only: an
// outcome stands after the message it speaks of, so its segment may go when that one is gone. A
// segment that is given up is renamed to a spare (or removed) and that is durable before anything
// after it is written over: what was recycled is never read as mail again. The chain says which
// segments there are: before a segment goes it is durable that it is given up, and before anything
// is written into a new one it is durable that there is one. No descriptor, or no memory, for a
// file is no failed disk: there is no room until it passes. Owned by its Journal; one shard.
// Limits: kSpares spare files, one while the spool is full; growing asks SpoolSpace;
// SegmentReaders.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/file/aligned_buffer.h"
#include "core/file/disk.h"
#include "core/io/shard.h"
#include "core/runtime/task.h"
#include "relay/spool/chain_file.h"
#include "relay/spool/file_reserve.h"
#include "relay/spool/journal_files.h"
#include "relay/spool/segment.h"
#include "relay/spool/segment_readers.h"
#include "relay/spool/space.h"

namespace relay {

struct JournalOptions {
    std::string spool;      // the directory of all journals
    std::string directory;  // of this journal's segments
    std::uint32_t id = 0;
    std::uint64_t segment_size = 64ULL << 20;
    bool direct = true;      // O_DIRECT, or else through the page cache; both with RWF_DSYNC
    bool adopted = false;    // of a shard that is no more: it only drains, nothing is kept ready
    std::uint64_t salt = 0;  // of the segments that this run writes; nobody outside may know it
};

class SegmentStore {
  public:
    static constexpr std::size_t kSpares = 2;
    static constexpr std::size_t kZeros = 1 << 20;  // octets of one write when a spare is filled

    SegmentStore(core::Shard& shard, core::Disk& disk, SpoolSpace& space, Journal& journal,
                 JournalOptions options);
    ~SegmentStore();  // closes files; segments have no live message

    // Makes the directory and finds what earlier runs left there: segments, not scanned yet. What
    // has the name of a segment and is none is set aside.
    core::Result<void> open();
    // What open() found; the gaps in it are for recovery to report.
    const JournalFiles& found() const { return found_; }
    std::uint64_t damages_at_open() const { return damages_at_open_; }

    // Only copying survivors forward may use up the last spare: so a full spool can get room again.
    enum class Need : std::uint8_t { any, moving };
    bool has_room(std::size_t octets) const {
        return active_ != nullptr && active_->size - active_->used >= octets;
    }
    // The segment to write a batch of so many octets into; when the active one has no room, another
    // becomes active, which must not happen while a batch is on its way into that one. Null: there
    // is no space (SpoolSpace is full), or the disk failed (SpoolSpace has failed).
    core::Task<Segment*> room_for(std::size_t octets, Need need);
    Segment* active() { return active_; }

    // The next segment will be needed soon and there is none.
    bool spare_wanted() const;
    core::Task<void> prepare_spare();
    // While the spool is full one spare will do: what the others take, another journal may need.
    void trim_spares();
    // Gives up the oldest segments as far as they are dead. The file of a damaged one is kept,
    // under another name: it may be readable another time, or by another version.
    bool oldest_dead();
    core::Task<void> give_up_dead();

    // Recovery read what an earlier run left: from now on a change of it will be noticed.
    void seal(Segment& segment);
    // Makes seals durable that seal() noted. At the end, that of the active segment too: nothing
    // may be written any more.
    bool seals_wanted() const { return seals_noted_; }
    core::Task<void> write_seals();
    core::Task<void> close();

    SegmentReaders& readers() { return readers_; }

    const std::deque<std::unique_ptr<Segment>>& segments() const { return segments_; }
    std::uint64_t live_octets() const;
    const JournalOptions& options() const { return options_; }

  private:
    std::string path(const std::string& name) const { return options_.directory + "/" + name; }
    core::Result<void> set_aside(const JournalFiles::Stranger& stranger);
    core::Task<bool> activate(std::uint64_t size, Need need);
    // False: SpoolSpace knows why, it is full or has failed.
    bool make_file(const std::string& name, std::uint64_t size);
    core::IoResult<core::Handle> open_writer(const std::string& name);
    core::Task<bool> name_segment(const std::string& file, Segment& segment, bool spare);
    std::optional<Seal> seal_before(std::uint64_t sequence) const;
    core::Task<bool> write_chain();
    bool keep_damaged(const std::vector<std::unique_ptr<Segment>>& dead);
    void put_back(const std::string& file, std::uint64_t size);
    void discard(const std::string& file, std::uint64_t size);
    void close_writer(Segment& segment);
    std::string new_spare_name();
    void fail(const std::string& what, const std::error_code& error);

    core::Shard& shard_;
    core::Disk& disk_;
    SpoolSpace& space_;
    Journal& journal_;
    JournalOptions options_;
    FileReserve files_;
    SegmentReaders readers_;
    ChainFile chain_;
    JournalFiles found_;
    std::uint64_t damages_at_open_ = 0;
    std::deque<std::unique_ptr<Segment>> segments_;
    Segment* active_ = nullptr;
    std::vector<std::string> spares_;  // file names, each of segment_size
    std::uint64_t next_sequence_ = 1;
    std::uint64_t next_spare_ = 1;
    bool seals_noted_ = false;
    core::Handle directory_ = core::kNoHandle;
    core::AlignedBuffer header_;
};

}  // namespace relay
