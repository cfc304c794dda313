// SimSpool: what a spool on a SimDisk holds, read by the product's recovery in a world of its own,
// without a queue that would deliver it. After all was read it stays open for `idle`, so that
// house-keeping does what it does at a start, and closes.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>

#include "relay/spool/spool.h"
#include "tests/sim/sim_disk.h"

namespace sim {

struct SpooledRecipient {
    unsigned attempts = 0;
    core::WallTime next_attempt{};
    std::string reply;  // the last one; empty: none
    std::string sender;
    std::string id;
    std::string tenant;
    std::string campaign;
    relay::Priority priority = relay::Priority::normal;
    std::string content;
    bool readable = false;
    auto operator<=>(const SpooledRecipient&) const = default;
};

struct SpoolState {
    std::multimap<std::string, SpooledRecipient> recipients;  // live ones, by address
    relay::RecoveryReport report;
    std::uint64_t moved = 0;  // octets, by compaction
    std::string failure;      // of the spool
    bool operator==(const SpoolState& other) const { return recipients == other.recipients; }
};

struct SpoolReading {
    std::size_t shards = 2;
    std::uint64_t segment_size = 64 << 10;
    std::uint64_t seed = 1;
    core::Duration idle = std::chrono::seconds{3};
};

SpoolState read_spool(SimDisk& disk, SpoolReading how = {});

}  // namespace sim
