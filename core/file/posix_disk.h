// PosixDisk: the machine's files, by the calls of the same names. Stateless; any thread may use it.
// Files that it makes are for their owner only: they hold mail.
#pragma once

#include "core/file/disk.h"

namespace core {

class PosixDisk final : public Disk {
  public:
    IoResult<FileFacts> facts(const std::string& path) override;
    IoResult<std::string> read_start(const std::string& path, std::size_t most) override;
    IoResult<Handle> open(const std::string& path, Access access) override;
    void close(Handle file) override;
    IoResult<std::uint64_t> size(Handle file) override;
    IoResult<void> allocate(Handle file, std::uint64_t octets) override;
    IoResult<std::vector<std::string>> list(const std::string& directory) override;
    IoResult<void> make_directory(const std::string& path) override;
    IoResult<void> rename(const std::string& from, const std::string& to) override;
    IoResult<void> remove(const std::string& path) override;
    IoResult<void> sync_directory(const std::string& path) override;
    IoResult<DiskSpace> space(const std::string& path) override;
    IoResult<Handle> lock(const std::string& path) override;
};

}  // namespace core
