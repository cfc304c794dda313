// replace_file(): a small file written anew: beside, synced, then renamed over the old one, so that
// there is always a whole one. One at a time for a path. What is half written when the process dies
// lies beside as "<path>.new".
#pragma once

#include <string>

#include "core/file/disk.h"
#include "core/io/shard.h"
#include "core/runtime/task.h"

namespace core {

Task<IoResult<void>> replace_file(Shard& shard, Disk& disk, std::string path, std::string text);

}  // namespace core
