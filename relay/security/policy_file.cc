#include "relay/security/policy_file.h"

#include <filesystem>
#include <span>

#include "core/base/log.h"
#include "core/base/text_file.h"
#include "core/file/file.h"

namespace relay {

namespace {

constexpr std::size_t kMostFileOctets = 2 * StsStore::kMostOctets;

}  // namespace

void load_policies(const std::string& path, StsStore& store, core::WallTime now) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return;
    const auto text = core::read_text_file(path, kMostFileOctets);
    if (!text) {
        core::log_warning("{} {}", path, text.error());
        return;
    }
    core::log_info("{} MTA-STS policies from {}", store.read(*text, now), path);
}

core::Task<core::IoResult<void>> save_policies(core::Shard& shard, core::Disk& disk,
                                               std::string path, std::string text) {
    const std::string beside = path + ".new";
    // A longer one of before would leave its end.
    if (const auto removed = disk.remove(beside);
        !removed && removed.error() != std::errc::no_such_file_or_directory) {
        co_return std::unexpected(removed.error());
    }
    const auto file = disk.open(beside, core::Access::write);
    if (!file) co_return std::unexpected(file.error());
    const auto written = co_await core::write_fully(
        shard, *file, std::span<const char>(text.data(), text.size()), 0, true);
    disk.close(*file);
    if (!written) co_return std::unexpected(written.error());
    co_return disk.rename(beside, path);
}

}  // namespace relay
