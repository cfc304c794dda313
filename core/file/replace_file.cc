#include "core/file/replace_file.h"

#include <span>

#include "core/file/file.h"

namespace core {

Task<IoResult<void>> replace_file(Shard& shard, Disk& disk, std::string path, std::string text) {
    const std::string beside = path + ".new";
    // A longer one of before would leave its end.
    if (const auto removed = disk.remove(beside);
        !removed && removed.error() != std::errc::no_such_file_or_directory) {
        co_return std::unexpected(removed.error());
    }
    const auto file = disk.open(beside, Access::write);
    if (!file) co_return std::unexpected(file.error());
    const auto written = co_await write_fully(
        shard, *file, std::span<const char>(text.data(), text.size()), 0, true);
    disk.close(*file);
    if (!written) co_return std::unexpected(written.error());
    co_return disk.rename(beside, path);
}

}  // namespace core
