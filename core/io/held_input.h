// HeldInput: octets that arrived and that nobody has read yet, in memory of the shard's streams
// (core/net/tcp_stream.h), counted by who sent them. Part of its Shard; used on its thread only.
// What strangers send counts apart, so that they cannot use up what clients and servers need.
// Limits: kMost for each party, reached: a stream whose reader is busy is not received from until
// the reader comes (full()). What the kernel had filled before that comes on top: at most the
// shard's provided buffers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/assert.h"

namespace core {

// Who is at the other end of a connection, as far as it decides what the connection may hold.
enum class Party : std::uint8_t {
    stranger,  // came to us, from an address that may not relay
    client,    // came to us, from one that may
    server,    // we called it
};
inline constexpr std::size_t kParties = 3;

class HeldInput {
  public:
    static constexpr std::array<std::size_t, kParties> kMost{4U << 20, 16U << 20, 16U << 20};

    void add(Party party, std::size_t octets) { held_[index(party)] += octets; }
    void remove(Party party, std::size_t octets) {
        PH_ASSERT(held_[index(party)] >= octets);
        held_[index(party)] -= octets;
    }
    bool full(Party party) const { return held_[index(party)] >= kMost[index(party)]; }
    std::size_t of(Party party) const { return held_[index(party)]; }
    std::size_t total() const { return held_[0] + held_[1] + held_[2]; }

  private:
    static constexpr std::size_t index(Party party) { return static_cast<std::size_t>(party); }
    std::array<std::size_t, kParties> held_{};
};

}  // namespace core
