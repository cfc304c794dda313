// Entry: what a listener answers to a connection that comes: a place, and whose, or none. Plain
// value.
#pragma once

#include <cstdint>

namespace core {

enum class Entry : std::uint8_t {
    client,
    stranger,  // who may hold less
    full,      // no place for a client, or none more for this address
    crowded,   // no place for a stranger: all of theirs are taken
};

constexpr bool is_in(Entry entry) {
    return entry == Entry::client || entry == Entry::stranger;
}

}  // namespace core
