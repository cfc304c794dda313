#include "core/file/posix_disk.h"

#include <algorithm>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace core {

namespace {

constexpr mode_t kFileMode = 0600;  // mail is private
constexpr mode_t kDirectoryMode = 0700;

int flags_of(Access access) {
    switch (access) {
        case Access::read:
            return O_RDONLY;
        case Access::write:
            return O_RDWR | O_CREAT;
        case Access::direct:
            return O_RDWR | O_CREAT | O_DIRECT;
        case Access::directory:
            return O_RDONLY | O_DIRECTORY;
    }
    return O_RDONLY;
}

IoResult<void> done(int result) {
    if (result < 0) return io_error(errno);
    return {};
}

}  // namespace

IoResult<FileFacts> PosixDisk::facts(const std::string& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) < 0) return io_error(errno);
    const FileKind kind = S_ISREG(found.st_mode)   ? FileKind::regular
                          : S_ISDIR(found.st_mode) ? FileKind::directory
                                                   : FileKind::other;
    return FileFacts{kind, static_cast<std::uint64_t>(found.st_size)};
}

IoResult<std::string> PosixDisk::read_start(const std::string& path, std::size_t most) {
    // Opening a FIFO would wait for its writer.
    const auto found = facts(path);
    if (!found) return std::unexpected(found.error());
    if (found->kind == FileKind::directory) return io_error(EISDIR);
    if (found->kind == FileKind::other) return io_error(EINVAL);
    const auto file = open(path, Access::read);
    if (!file) return std::unexpected(file.error());
    std::string octets(static_cast<std::size_t>(std::min<std::uint64_t>(most, found->octets)),
                       '\0');
    std::size_t at = 0;
    while (at < octets.size()) {
        const ssize_t got =
            ::pread(*file, octets.data() + at, octets.size() - at, static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) continue;
        const int error = got < 0 ? errno : 0;
        if (error != 0) {
            ::close(*file);
            return io_error(error);
        }
        if (got == 0) break;
        at += static_cast<std::size_t>(got);
    }
    ::close(*file);
    octets.resize(at);
    return octets;
}

IoResult<Handle> PosixDisk::open(const std::string& path, Access access) {
    const int fd = ::open(path.c_str(), flags_of(access) | O_CLOEXEC, kFileMode);
    if (fd < 0) return io_error(errno);
    return fd;
}

void PosixDisk::close(Handle file) {
    ::close(file);
}

IoResult<std::uint64_t> PosixDisk::size(Handle file) {
    struct stat facts{};
    if (::fstat(file, &facts) < 0) return io_error(errno);
    return static_cast<std::uint64_t>(facts.st_size);
}

IoResult<void> PosixDisk::allocate(Handle file, std::uint64_t octets) {
    // posix_fallocate would write through a file system without allocation, octet by octet.
    if (::fallocate(file, 0, 0, static_cast<off_t>(octets)) == 0) return {};
    if (errno != EOPNOTSUPP) return io_error(errno);
    return done(::ftruncate(file, static_cast<off_t>(octets)));
}

IoResult<std::vector<std::string>> PosixDisk::list(const std::string& directory) {
    std::error_code error;
    std::filesystem::directory_iterator entries(directory, error);
    if (error) return std::unexpected(error);
    std::vector<std::string> names;
    // A range-for would throw what reading on comes to.
    for (const std::filesystem::directory_iterator end; !error && entries != end;
         entries.increment(error)) {
        names.push_back(entries->path().filename().string());
    }
    if (error) return std::unexpected(error);
    return names;
}

IoResult<void> PosixDisk::make_directory(const std::string& path) {
    if (::mkdir(path.c_str(), kDirectoryMode) == 0 || errno == EEXIST) return {};
    return io_error(errno);
}

IoResult<void> PosixDisk::rename(const std::string& from, const std::string& to) {
    return done(::rename(from.c_str(), to.c_str()));
}

IoResult<void> PosixDisk::remove(const std::string& path) {
    return done(::unlink(path.c_str()));
}

IoResult<void> PosixDisk::sync_directory(const std::string& path) {
    const auto directory = open(path, Access::directory);
    if (!directory) return std::unexpected(directory.error());
    const auto synced = done(::fsync(*directory));
    ::close(*directory);
    return synced;
}

IoResult<DiskSpace> PosixDisk::space(const std::string& path) {
    struct statvfs facts{};
    if (::statvfs(path.c_str(), &facts) < 0) return io_error(errno);
    return DiskSpace{facts.f_blocks * facts.f_frsize, facts.f_bavail * facts.f_frsize};
}

IoResult<Handle> PosixDisk::lock(const std::string& path) {
    const auto file = open(path, Access::write);
    if (!file) return file;
    if (::flock(*file, LOCK_EX | LOCK_NB) == 0) return file;
    const int error = errno;
    ::close(*file);
    return io_error(error);
}

}  // namespace core
