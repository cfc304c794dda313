// A seeded pseudo-random generator (xoshiro256**): shuffles MX hosts, jitters retries, drives the
// simulation. Passed by reference from the shard, so that one seed reproduces one run. Not for
// secrets. One shard owns each instance.
#pragma once

#include <cstdint>

#include "core/base/assert.h"

namespace core {

class Prng {
  public:
    explicit Prng(std::uint64_t seed) {
        for (auto& word : state_) {  // splitmix64, so that any seed, even 0, fills the state
            seed += 0x9e3779b97f4a7c15U;
            std::uint64_t z = seed;
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
            z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
            word = z ^ (z >> 31);
        }
    }

    std::uint64_t next() {
        const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
        const std::uint64_t t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = rotate(state_[3], 45);
        return result;
    }

    // A number in [0, bound), without modulo bias worth speaking of for bounds far below 2^64.
    std::uint64_t below(std::uint64_t bound) {
        PH_ASSERT(bound > 0);
        return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
    }

    // Makes the generator usable with std::shuffle.
    using result_type = std::uint64_t;
    static constexpr result_type min() { return 0; }
    static constexpr result_type max() { return ~result_type{0}; }
    result_type operator()() { return next(); }

  private:
    static std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
    std::uint64_t state_[4];
};

}  // namespace core
