#include "relay/events/event_room.h"

#include <algorithm>
#include <filesystem>

#include <sys/stat.h>
#include <sys/statvfs.h>

namespace relay {
namespace {

std::uint64_t share(std::uint64_t total, unsigned percent) {
    return total / 100 * percent;
}

// The directory, or the nearest above it that exists.
bool facts_of(std::filesystem::path directory, struct stat& facts) {
    while (::stat(directory.c_str(), &facts) != 0) {
        const std::filesystem::path parent = directory.parent_path();
        if (parent.empty() || parent == directory) return false;
        directory = parent;
    }
    return true;
}

}  // namespace

EventRoom event_room(const SpoolConfig& spool, std::uint64_t total, bool with_spool) {
    if (!with_spool) {
        return {.max_octets = share(total, kAloneEventShare),
                .min_free = share(total, kEventStopsEarlier)};
    }
    const std::uint64_t taken = std::min(spool.max_size.of(total), total);
    const std::uint64_t kept = std::min(spool.min_free.of(total), total - taken);
    return {.max_octets = std::max(total - taken - kept, share(total, kLeastEventShare)),
            .min_free = spool.min_free.of(total) + share(total, kEventStopsEarlier)};
}

EventRoom event_room(const Config& config) {
    struct stat log{};
    struct stat data{};
    std::filesystem::path place = config.events.log_dir;
    struct statvfs disk{};
    while (::statvfs(place.c_str(), &disk) != 0) {
        const std::filesystem::path parent = place.parent_path();
        if (parent.empty() || parent == place) return {};
        place = parent;
    }
    const bool with_spool = config.spool.durability == Durability::commit &&
                            facts_of(config.events.log_dir, log) &&
                            facts_of(config.node.data_dir, data) && log.st_dev == data.st_dev;
    return event_room(config.spool, disk.f_blocks * disk.f_frsize, with_spool);
}

}  // namespace relay
