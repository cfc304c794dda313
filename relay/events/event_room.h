// EventRoom by what the spool leaves: how much of its file system the event log may take, so that a
// flood of events never makes the spool refuse mail. Asked once, at the start.
#pragma once

#include <cstdint>

#include "relay/config/config.h"
#include "relay/events/event_file.h"

namespace relay {

inline constexpr unsigned kLeastEventShare = 2;    // percent of the disk, whatever the spool wants
inline constexpr unsigned kAloneEventShare = 95;   // percent of a disk without a spool
inline constexpr unsigned kEventStopsEarlier = 1;  // percent of the disk, before the spool does

// total: octets of the file system of the event log. with_spool: the spool is on it.
EventRoom event_room(const SpoolConfig& spool, std::uint64_t total, bool with_spool);

// The same for this machine's disks; without a bound where the file system does not answer.
// Directories that do not exist yet count as what they will be made in.
EventRoom event_room(const Config& config);

}  // namespace relay
