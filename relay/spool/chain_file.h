// ChainFile: the file of a journal's Chain, beside the journal's directory. Owned by its
// SegmentStore; one shard. After write() the chain as it is in memory is durable (writes are one at
// a time, in the order in which they were asked for); a write that is interrupted leaves the one
// before it. The file is made whole at the first write, and held open from then on.
#pragma once

#include <string>
#include <utility>

#include "core/file/aligned_buffer.h"
#include "core/file/disk.h"
#include "core/io/shard.h"
#include "core/runtime/places.h"
#include "core/runtime/task.h"
#include "relay/spool/chain.h"

namespace relay {

class ChainFile {
  public:
    ChainFile(core::Shard& shard, core::Disk& disk, std::string path)
        : shard_(shard),
          disk_(disk),
          path_(std::move(path)),
          slot_(Chain::kSlot),
          writer_(shard.reactor(), 1) {}
    ~ChainFile();
    ChainFile(const ChainFile&) = delete;
    ChainFile& operator=(const ChainFile&) = delete;

    Chain chain;  // what the next write() makes durable

    // Before any write(). on_disk: read_chain() found it there, so it is gone on with.
    core::IoResult<void> open(Chain found, bool on_disk);
    bool made() const { return made_; }
    core::Task<core::IoResult<void>> write();
    const std::string& path() const { return path_; }

  private:
    core::IoResult<void> open_file();
    core::Task<core::IoResult<void>> write_slot();
    core::Task<core::IoResult<void>> make();

    core::Shard& shard_;
    core::Disk& disk_;
    std::string path_;
    core::AlignedBuffer slot_;
    core::Places writer_;
    core::Handle file_ = core::kNoHandle;
    bool made_ = false;
};

}  // namespace relay
