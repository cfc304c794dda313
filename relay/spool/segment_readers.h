// SegmentReaders: the segments of a journal that are open for reading. A file is opened when
// something in it is first read, and stays open until others need its descriptor: files that are
// only read give way. Owned by the SegmentStore, which owns the segments; one shard. Limits:
// kMostOpen files, but for those that are being read; a read waits kOpenTries times kOpenPause for
// a descriptor or memory, then it fails.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/file/disk.h"
#include "core/io/shard.h"
#include "core/runtime/task.h"
#include "relay/spool/file_reserve.h"
#include "relay/spool/segment.h"

namespace relay {

class SegmentReaders {
  public:
    static constexpr std::size_t kMostOpen = 16;
    static constexpr int kOpenTries = 50;
    static constexpr core::Duration kOpenPause = std::chrono::milliseconds{100};

    SegmentReaders(core::Shard& shard, core::Disk& disk, FileReserve& files, std::string directory)
        : shard_(shard), disk_(disk), files_(files), directory_(std::move(directory)) {}

    core::Task<core::IoResult<void>> read(Segment& segment, std::span<char> octets,
                                          std::uint64_t offset);
    // Until it is read again. One that is being read stays open.
    void close(Segment& segment);
    // Any file of the journal, at the cost of those that are only read.
    core::IoResult<core::Handle> open_file(const std::string& name, core::Access access);

  private:
    std::string path(const std::string& name) const { return directory_ + "/" + name; }
    core::Task<core::IoResult<void>> open(Segment& segment);
    bool close_an_idle_one();

    core::Shard& shard_;
    core::Disk& disk_;
    FileReserve& files_;
    const std::string directory_;
    std::vector<Segment*> open_;  // the longest open first
};

}  // namespace relay
