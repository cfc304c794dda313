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
    if (const auto renamed = disk.rename(beside, path); !renamed) {
        co_return std::unexpected(renamed.error());
    }
    const std::size_t slash = path.rfind('/');
    const auto directory =
        disk.open(slash == std::string::npos ? "." : path.substr(0, slash + 1), Access::directory);
    if (!directory) co_return std::unexpected(directory.error());
    const auto synced = co_await sync(shard, *directory);
    disk.close(*directory);
    co_return synced;
}

}  // namespace core
