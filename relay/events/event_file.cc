#include "relay/events/event_file.h"

#include <algorithm>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "relay/config/config.h"
#include "relay/events/json_text.h"

namespace relay {
namespace {

constexpr mode_t kOwnerAndGroup = 0640;  // addresses are personal data
constexpr std::uint64_t kLeastRotateSize = 64U << 10;

core::WallTime to_wall(const timespec& time) {
    return core::WallTime(std::chrono::seconds(time.tv_sec) +
                          std::chrono::nanoseconds(time.tv_nsec));
}

// "20261122T213000.123456Z": sorts by time and needs no quoting in a shell.
std::string time_for_name(core::WallTime time) {
    std::string text;
    append_rfc3339_string(text, time);
    std::erase_if(text, [](char c) { return c == '"' || c == '-' || c == ':'; });
    return text;
}

}  // namespace

EventFile::EventFile(EventFileOptions options) : options_(std::move(options)) {
    // Room is made by whole files: the current one must not fill it alone.
    options_.rotate_size = std::min(
        options_.rotate_size, std::max(options_.room.max_octets / kFilesInRoom, kLeastRotateSize));
}

EventFile::~EventFile() {
    close();
}

std::filesystem::path EventFile::path() const {
    return options_.directory / kEventFileName;
}

core::IoResult<void> EventFile::open(core::WallTime now) {
    if (const auto opened = open_current(now); !opened) return opened;
    remove_old(now);
    return {};
}

core::IoResult<void> EventFile::open_current(core::WallTime now) {
    std::error_code error;
    std::filesystem::create_directories(options_.directory, error);
    if (error) return std::unexpected(error);
    // O_NONBLOCK: a FIFO in its place must not wait for a reader, neither now nor at a write.
    fd_ = ::open(path().c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
                 kOwnerAndGroup);
    if (fd_ < 0) return core::io_error(errno);
    struct stat status{};
    if (fstat(fd_, &status) != 0) {
        const int reason = errno;
        close();
        return core::io_error(reason);
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
    begun_ = size_ == 0 ? now : std::min(now, to_wall(status.st_mtim));
    char last = '\n';
    if (size_ > 0 && pread(fd_, &last, 1, status.st_size - 1) == 1 && last != '\n') {
        if (const auto ended = write_all("\n"); !ended) {
            close();
            return ended;
        }
    }
    return {};
}

bool EventFile::is_gone() const {
    struct stat here{};
    struct stat named{};
    if (fstat(fd_, &here) != 0) return true;
    // A folder that may not be looked into says nothing about the file.
    if (::stat(path().c_str(), &named) != 0) return errno == ENOENT;
    return here.st_dev != named.st_dev || here.st_ino != named.st_ino;
}

core::IoResult<void> EventFile::append(std::string_view lines, core::WallTime now) {
    if (fd_ >= 0 && is_gone()) close();
    rotate_if_due(lines.size(), now);
    if (fd_ < 0) {
        if (const auto opened = open_current(now); !opened) return opened;
    }
    if (const auto room = make_room(lines.size()); !room) return room;
    if (size_ == 0) begun_ = now;
    auto written = write_all(lines);
    if (!written) close();  // opening again ends a line that was cut
    return written;
}

core::IoResult<void> EventFile::write_all(std::string_view lines) {
    bool made_room = false;
    while (!lines.empty()) {
        const ssize_t count = ::write(fd_, lines.data(), lines.size());
        if (count < 0) {
            if (errno == EINTR) continue;
            const int reason = errno;
            // What a quota or another file system keeps back shows only here.
            if ((reason == ENOSPC || reason == EDQUOT) && !made_room && old_octets_ > 0) {
                made_room = true;
                remove_oldest_for(lines.size());
                continue;
            }
            return core::io_error(reason);
        }
        lines.remove_prefix(static_cast<std::size_t>(count));
        size_ += static_cast<std::uint64_t>(count);
    }
    return {};
}

void EventFile::rotate_if_due(std::size_t coming, core::WallTime now) {
    const bool full = size_ > 0 && size_ + coming > options_.rotate_size;
    const bool old = size_ > 0 && now - begun_ >= std::min(kLongestAge, options_.keep);
    if (fd_ < 0 || !(full || old)) return;
    // A clock that was set back must not put it off for long.
    if (now < rotate_after_ && rotate_after_ - now <= kRotateAgain) return;
    const auto rotated = rotate(now);
    if (rotated) {
        rotation_failure_.clear();
        rotate_after_ = {};
    } else {
        rotation_failure_ = rotated.error().message();
        rotate_after_ = now + kRotateAgain;
    }
}

core::IoResult<void> EventFile::rotate(core::WallTime now) {
    const std::string stem = "events-" + time_for_name(now);
    std::filesystem::path target = options_.directory / (stem + ".jsonl");
    // Two within a microsecond, or a clock that was set back.
    struct stat there{};
    for (int i = 1; ::lstat(target.c_str(), &there) == 0; ++i) {
        if (i > kMaxNamesakes) return core::io_error(EEXIST);
        target = options_.directory / (stem + "-" + std::to_string(i) + ".jsonl");
    }
    if (errno != ENOENT) return core::io_error(errno);
    std::error_code error;
    std::filesystem::rename(path(), target, error);
    if (error) return std::unexpected(error);
    close();
    remove_old(now);
    return {};
}

std::vector<EventFile::Old> EventFile::old_files() const {
    std::vector<Old> found;
    std::error_code error;
    for (std::filesystem::directory_iterator it(options_.directory, error), end;
         !error && it != end; it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (!name.starts_with("events-") || !name.ends_with(".jsonl")) continue;
        struct stat status{};
        if (::lstat(it->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
        found.push_back(
            {it->path(), to_wall(status.st_mtim), static_cast<std::uint64_t>(status.st_size)});
    }
    std::ranges::sort(found, {}, [](const Old& each) { return each.path; });  // by time
    return found;
}

void EventFile::remove_old(core::WallTime now) {
    old_octets_ = 0;
    for (const Old& each : old_files()) {
        // The last write: the youngest record in it is older than what is kept.
        const bool removed = now - each.written > options_.keep && ::unlink(each.path.c_str()) == 0;
        if (!removed) old_octets_ += each.octets;
    }
}

bool EventFile::fits(std::uint64_t octets) const {
    const std::uint64_t most = options_.room.max_octets;
    const std::uint64_t taken = size_ + old_octets_;
    if (octets > most || taken > most - octets) return false;
    if (options_.room.min_free == 0) return true;
    struct statvfs facts{};
    if (::fstatvfs(fd_, &facts) != 0) return true;  // the write will tell
    const std::uint64_t free = facts.f_bavail * facts.f_frsize;
    return free >= octets && free - octets >= options_.room.min_free;
}

// What was removed shows as free at once, but for files that somebody still reads.
void EventFile::remove_oldest_for(std::uint64_t octets) {
    std::uint64_t freed = 0;
    old_octets_ = 0;
    for (const Old& each : old_files()) {
        if (freed < octets && ::unlink(each.path.c_str()) == 0) {
            freed += each.octets;
            ++removed_early_;
        } else {
            old_octets_ += each.octets;
        }
    }
}

core::IoResult<void> EventFile::make_room(std::uint64_t octets) {
    if (fits(octets)) return {};
    if (old_octets_ > 0) {
        remove_oldest_for(octets);
        if (fits(octets)) return {};
    }
    return core::io_error(ENOSPC);
}

void EventFile::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    size_ = 0;
}

}  // namespace relay
