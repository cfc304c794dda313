// EventFile: the file that event lines are appended to, with its rotation and the removal of old
// ones. Owned and used by the thread of EventLog only. The current file is
// <directory>/events.jsonl; a full or day-old one is renamed to events-<UTC time>.jsonl. Only files
// with such names are ever removed. A line that a crash left unfinished is ended by a newline when
// the file is opened again. Nothing throws: what the folder or the disk refuses is an error value,
// and the next append tries again, so the log recovers when the folder does. Lines go on into the
// current file while it cannot be renamed.
// Limits: all files together take at most room.max_octets, and leave room.min_free on their file
// system: the oldest renamed file goes first, then append() refuses (ENOSPC).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"

namespace relay {

struct EventRoom {
    std::uint64_t max_octets = UINT64_MAX;  // of all event files
    std::uint64_t min_free = 0;             // of their file system
};

struct EventFileOptions {
    std::filesystem::path directory;
    std::uint64_t rotate_size = 256ULL << 20;
    core::Duration keep = std::chrono::days(7);
    EventRoom room{};
};

class EventFile {
  public:
    static constexpr core::Duration kLongestAge = std::chrono::days(1);
    static constexpr core::Duration kRotateAgain = std::chrono::minutes(1);  // after a failure
    static constexpr std::uint64_t kFilesInRoom = 8;  // rotates early enough to have so many
    static constexpr int kMaxNamesakes = 1000;        // of one microsecond

    explicit EventFile(EventFileOptions options);
    EventFile(const EventFile&) = delete;
    EventFile& operator=(const EventFile&) = delete;
    virtual ~EventFile();

    // Makes the directory, opens the current file, removes what is too old.
    core::IoResult<void> open(core::WallTime now);
    // Appends whole lines. On an error what was written of them ends in a newline, or the file is
    // opened again by the next append.
    virtual core::IoResult<void> append(std::string_view lines, core::WallTime now);
    // What is older than keep.
    void remove_old(core::WallTime now);

    // Why the current file could not be put aside; empty once it could.
    const std::string& rotation_failure() const { return rotation_failure_; }
    // Files that went before their time, to make room.
    std::uint64_t removed_early() const { return removed_early_; }
    std::filesystem::path path() const;

  private:
    struct Old {
        std::filesystem::path path;
        core::WallTime written{};
        std::uint64_t octets = 0;
    };

    core::IoResult<void> open_current(core::WallTime now);
    // The file that is open has lost its name: somebody moved or removed it.
    bool is_gone() const;
    void rotate_if_due(std::size_t coming, core::WallTime now);
    core::IoResult<void> rotate(core::WallTime now);
    core::IoResult<void> make_room(std::uint64_t octets);
    core::IoResult<void> write_all(std::string_view lines);
    std::vector<Old> old_files() const;
    void remove_oldest_for(std::uint64_t octets);
    bool fits(std::uint64_t octets) const;
    void close();

    EventFileOptions options_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
    std::uint64_t old_octets_ = 0;  // of the renamed files
    core::WallTime begun_{};        // when the current file got its first line
    core::WallTime rotate_after_{};
    std::string rotation_failure_;
    std::uint64_t removed_early_ = 0;
};

}  // namespace relay
