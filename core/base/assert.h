// Assertions that stay on in release builds. They guard against our own bugs, never against input:
// what comes from the network, disk, DNS or a user is a value (std::expected), not an assertion.
// A failed assertion prints the place and aborts; the spool makes that survivable.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace core {

[[noreturn]] inline void assertion_failed(const char* what, const char* file, int line) {
    std::fprintf(stderr, "posthaste: bug: %s (%s:%d)\n", what, file, line);
    std::abort();
}

}  // namespace core

#define PH_ASSERT(condition)                           \
    (__builtin_expect(static_cast<bool>(condition), 1) \
         ? static_cast<void>(0)                        \
         : ::core::assertion_failed(#condition, __FILE__, __LINE__))
