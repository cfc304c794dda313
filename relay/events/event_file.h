// EventFile: the file that event lines are appended to, with its rotation and the removal of old
// ones. Owned and used by the thread of EventLog only. The current file is
// <directory>/events.jsonl; a full or day-old one is renamed to events-<UTC time>.jsonl. Only files
// with such names are ever removed. A line that a crash left unfinished is ended by a newline when
// the file is opened again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "core/base/result.h"
#include "core/base/time.h"

namespace relay {

class EventFile {
  public:
    static constexpr core::Duration kLongestAge = std::chrono::days(1);

    EventFile(std::filesystem::path directory, std::uint64_t rotate_size, core::Duration keep)
        : directory_(std::move(directory)), rotate_size_(rotate_size), keep_(keep) {}
    EventFile(const EventFile&) = delete;
    EventFile& operator=(const EventFile&) = delete;
    ~EventFile();

    // Makes the directory, opens the current file, removes what is too old.
    core::IoResult<void> open(core::WallTime now);
    // Appends whole lines. On an error what was written of them ends in a newline, or the file is
    // opened anew by the next append.
    core::IoResult<void> append(std::string_view lines, core::WallTime now);
    void remove_old(core::WallTime now);

    std::filesystem::path path() const { return directory_ / "events.jsonl"; }

  private:
    core::IoResult<void> open_current(core::WallTime now);
    core::IoResult<void> rotate(core::WallTime now);
    core::IoResult<void> write_all(std::string_view lines);
    void close();

    std::filesystem::path directory_;
    std::uint64_t rotate_size_;
    core::Duration keep_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
    core::WallTime begun_{};  // when the current file got its first line
};

}  // namespace relay
