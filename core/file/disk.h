// Disk: the seam for what a program does to files and directories beside reading and writing, which
// goes through the ring (IoBackend, core/file/file.h). The calls block, for a moment: they are for
// starting, for preparing files ahead of need, and for ending. PosixDisk is the machine's, SimDisk
// (tests/sim) one that loses power. Paths are absolute or relative to the working directory. Any
// shard may call any of it. Nothing here is durable before the directory was synced
// (sync_directory, or fsync of a handle opened with Access::directory).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/io/io_backend.h"

namespace core {

enum class Access : std::uint8_t {
    read,       // through the page cache
    write,      // through the page cache; made when it is not there
    direct,     // past the page cache (O_DIRECT): address, length and offset in kDiskBlock steps
    directory,  // to sync it
};

// Direct reads and writes are in multiples of it; no file system in use asks for more.
inline constexpr std::size_t kDiskBlock = 4096;

struct DiskSpace {
    std::uint64_t total = 0;  // octets of the file system
    std::uint64_t free = 0;   // that we may still use
};

enum class FileKind : std::uint8_t { regular, directory, other };

struct FileFacts {
    FileKind kind = FileKind::regular;
    std::uint64_t octets = 0;
};

class Disk {
  public:
    virtual ~Disk() = default;

    // What has that name, without opening it. Follows links.
    virtual IoResult<FileFacts> facts(const std::string& path) = 0;
    // The first octets of a regular file: as many as there are, `most` at most. Blocks.
    virtual IoResult<std::string> read_start(const std::string& path, std::size_t most) = 0;

    // direct fails with EINVAL where the file system has no such thing.
    virtual IoResult<Handle> open(const std::string& path, Access access) = 0;
    virtual void close(Handle file) = 0;
    virtual IoResult<std::uint64_t> size(Handle file) = 0;
    // Gives the file so many octets, all of them with space on the disk (ENOSPC if there is none).
    virtual IoResult<void> allocate(Handle file, std::uint64_t octets) = 0;

    virtual IoResult<std::vector<std::string>> list(const std::string& directory) = 0;  // names
    virtual IoResult<void> make_directory(const std::string& path) = 0;  // fine when it is there
    virtual IoResult<void> rename(const std::string& from, const std::string& to) = 0;
    virtual IoResult<void> remove(const std::string& path) = 0;
    virtual IoResult<void> sync_directory(const std::string& path) = 0;  // blocks for as long
    virtual IoResult<DiskSpace> space(const std::string& path) = 0;

    // Exclusive, held until the handle is closed or the process ends; EWOULDBLOCK when another
    // process holds it.
    virtual IoResult<Handle> lock(const std::string& path) = 0;
};

}  // namespace core
