// FileReserve: descriptors that a journal keeps for files it will open, so that connections which
// use up the descriptors of the process do not stop it. open() gives one up when the process has no
// more; close() takes one back. Owned by its SegmentStore; one shard. Limits: kReserve descriptors.
// The journal itself bounds what it opens beside them.
#pragma once

#include <cstddef>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "core/file/disk.h"

namespace relay {

// It says nothing about the disk, and passes: no descriptor or no memory at the moment.
bool passes(const std::error_code& error);
bool no_descriptor(const std::error_code& error);

class FileReserve {
  public:
    // A segment that is named, one that is filled, two that are read.
    static constexpr std::size_t kReserve = 4;

    FileReserve(core::Disk& disk, std::string directory, std::size_t most = kReserve)
        : disk_(disk), directory_(std::move(directory)), most_(most) {}
    ~FileReserve();
    FileReserve(const FileReserve&) = delete;
    FileReserve& operator=(const FileReserve&) = delete;

    void fill();  // as far as there are descriptors
    core::IoResult<core::Handle> open(const std::string& path, core::Access access);
    void close(core::Handle file);

  private:
    core::Disk& disk_;
    std::string directory_;  // what they are open on
    std::size_t most_;
    std::vector<core::Handle> spare_;
};

}  // namespace relay
