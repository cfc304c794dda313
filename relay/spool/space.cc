#include "relay/spool/space.h"

#include <algorithm>
#include <memory>

#include "core/base/log.h"

namespace relay {

bool SpoolSpace::may_grow(std::uint64_t octets) {
    const auto space = look();
    if (space) free_.store(space->free, std::memory_order_relaxed);
    const bool room =
        space && used() + octets <= limits_.max_octets && space->free >= octets + limits_.min_free;
    if (!room && octets <= limits_.most_wanted) out_of_space(octets);
    return room;
}

void SpoolSpace::out_of_space(std::uint64_t octets) {
    wanted_.store(std::min(octets, limits_.most_wanted));
    if (full_.exchange(true)) return;
    core::log_error(
        "the spool is full ({} octets used, {} free): mail is refused until there is room", used(),
        free());
}

void SpoolSpace::cannot_open(const std::string& sentence) {
    if (starved_.exchange(true)) return;
    full_.store(true);
    core::log_error("{}: mail is refused until this passes", sentence);
}

bool SpoolSpace::can_open_again() {
    const auto file = disk_.open(directory_, core::Access::directory);
    if (!file) return false;
    disk_.close(*file);
    full_.store(false);
    starved_.store(false);
    core::log_info("the spool can open files again");
    return true;
}

void SpoolSpace::refresh() {
    if (starved_.load() && !can_open_again()) return;
    const auto space = look();
    if (!space) return;
    free_.store(space->free, std::memory_order_relaxed);
    const std::uint64_t wanted = wanted_.load();
    const bool room =
        space->free >= limits_.min_free + wanted && used() + wanted <= limits_.max_octets;
    if (!room) return out_of_space(wanted);
    wanted_.store(0);
    if (full_.exchange(false)) core::log_info("the spool has room again");
}

void SpoolSpace::fail(const std::string& sentence) {
    auto mine = std::make_unique<const std::string>(sentence);
    const std::string* none = nullptr;
    if (!failure_.compare_exchange_strong(none, mine.get())) return;
    core::log_error("{}; no mail is accepted until a restart", *mine.release());
}

std::string SpoolSpace::failure() const {
    const std::string* failure = failure_.load();
    return failure == nullptr ? std::string() : *failure;
}

}  // namespace relay
