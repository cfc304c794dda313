// replace_file(): replaces a small file as a whole. It writes the new text to "<path>.new", syncs
// it and renames it over the old file, so that a reader always finds a whole one. One call at a
// time for a path. What is half written when the process dies stays as "<path>.new".
#pragma once

#include <string>

#include "core/file/disk.h"
#include "core/io/shard.h"
#include "core/runtime/task.h"

namespace core {

Task<IoResult<void>> replace_file(Shard& shard, Disk& disk, std::string path, std::string text);

}  // namespace core
