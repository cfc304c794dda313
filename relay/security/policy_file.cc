#include "relay/security/policy_file.h"

#include <filesystem>

#include "core/base/log.h"
#include "core/base/text_file.h"

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

}  // namespace relay
