#include "relay/events/event_file.h"

#include <algorithm>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/events/json_text.h"

namespace relay {
namespace {

constexpr mode_t kOwnerAndGroup = 0640;  // addresses are personal data

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

EventFile::~EventFile() {
    close();
}

core::IoResult<void> EventFile::open(core::WallTime now) {
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    if (error) return std::unexpected(error);
    if (const auto opened = open_current(now); !opened) return opened;
    remove_old(now);
    return {};
}

core::IoResult<void> EventFile::open_current(core::WallTime now) {
    fd_ = ::open(path().c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, kOwnerAndGroup);
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

core::IoResult<void> EventFile::append(std::string_view lines, core::WallTime now) {
    const bool full = size_ > 0 && size_ + lines.size() > rotate_size_;
    const bool old = size_ > 0 && now - begun_ >= std::min(kLongestAge, keep_);
    if (fd_ >= 0 && (full || old)) {
        if (const auto rotated = rotate(now); !rotated) return rotated;
    }
    if (fd_ < 0) {
        if (const auto opened = open_current(now); !opened) return opened;
    }
    if (size_ == 0) begun_ = now;
    auto written = write_all(lines);
    if (!written) close();  // opening again ends a line that was cut
    return written;
}

core::IoResult<void> EventFile::write_all(std::string_view lines) {
    while (!lines.empty()) {
        const ssize_t count = ::write(fd_, lines.data(), lines.size());
        if (count < 0) {
            if (errno == EINTR) continue;
            return core::io_error(errno);
        }
        lines.remove_prefix(static_cast<std::size_t>(count));
        size_ += static_cast<std::uint64_t>(count);
    }
    return {};
}

core::IoResult<void> EventFile::rotate(core::WallTime now) {
    const std::string stem = "events-" + time_for_name(now);
    std::filesystem::path target = directory_ / (stem + ".jsonl");
    for (int i = 1; std::filesystem::exists(target); ++i) {  // two within a microsecond, or a clock
        target = directory_ / (stem + "-" + std::to_string(i) + ".jsonl");  // that was set back
    }
    std::error_code error;
    std::filesystem::rename(path(), target, error);
    if (error) return std::unexpected(error);
    close();
    remove_old(now);
    return {};
}

void EventFile::remove_old(core::WallTime now) {
    std::error_code error;
    for (std::filesystem::directory_iterator it(directory_, error), end; !error && it != end;
         it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (!name.starts_with("events-") || !name.ends_with(".jsonl")) continue;
        struct stat status{};
        if (::stat(it->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
        // The last write: the youngest record in it is older than what is kept.
        if (now - to_wall(status.st_mtim) > keep_) ::unlink(it->path().c_str());
    }
}

void EventFile::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    size_ = 0;
}

}  // namespace relay
