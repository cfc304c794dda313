// What a loss of power leaves of a write that was under way: some of its sectors, and perhaps one
// that is torn at any octet. Pure: the draws come from the generator given.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "core/base/prng.h"

namespace sim {

// Calls put(offset, octets) for every piece that reached the disk, in ascending order.
void survive(std::uint64_t offset, std::string_view octets, core::Prng& prng,
             const std::function<void(std::uint64_t, std::string_view)>& put);

}  // namespace sim
