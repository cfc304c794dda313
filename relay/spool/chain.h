// Chain: what one journal must consist of: its oldest and its newest segment, and the seals of
// segments that no later segment vouches for (the last ones of each run). It stands beside the
// journal in a file of two slots that are written in turn (docs/spool-format.md), so that a segment
// that is gone, from either end or from between, is missed. Pure.
// Limits: kMostSeals seals; beyond, those of the oldest segments are dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "relay/spool/segment_header.h"

namespace relay {

struct Chain {
    static constexpr std::size_t kSlot = 4096;
    static constexpr std::size_t kMostSeals = 100;

    struct Sealed {
        std::uint64_t sequence = 0;
        Seal seal;
        bool operator==(const Sealed&) const = default;
    };

    std::uint32_t journal = 0;
    std::uint64_t counter = 0;  // the slot with the higher one counts
    std::uint64_t oldest = 1;   // segments below are given up
    std::uint64_t newest = 0;   // less than oldest: there is none
    std::vector<Sealed> seals;  // ascending

    const Seal* seal_of(std::uint64_t sequence) const;  // null: none is known
    void seal(std::uint64_t sequence, const Seal& seal);
    void give_up_before(std::uint64_t sequence);
    // Where this one is to be written, by its counter.
    std::uint64_t offset() const { return counter % 2 * kSlot; }
    bool operator==(const Chain&) const = default;
};

void write_chain(const Chain& chain, char* out);  // Chain::kSlot octets
// The one that counts in the octets of a chain file. Nothing: neither slot is whole.
std::optional<Chain> read_chain(std::string_view file, std::uint32_t journal);

}  // namespace relay
