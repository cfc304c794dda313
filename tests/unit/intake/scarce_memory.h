// ScarceMemory: while one is there, large allocations of this thread are watched, and one of them
// may fail as it does when memory runs out. Linked into a test it replaces operator new. Small
// ones never fail: those of a coroutine's frame cannot be caught, and on a real machine it is the
// large ones that do not get their memory.
#pragma once

#include <cstddef>

namespace relay_test {

class ScarceMemory {
  public:
    static constexpr std::size_t kLarge = 4096;  // octets

    // fails: which of the large ones does, from 1; 0: none.
    explicit ScarceMemory(std::size_t fails = 0);
    ScarceMemory(const ScarceMemory&) = delete;
    ScarceMemory& operator=(const ScarceMemory&) = delete;
    ~ScarceMemory();

    bool failed() const;          // one did
    std::size_t largest() const;  // octets
};

}  // namespace relay_test
