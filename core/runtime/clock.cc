#include "core/runtime/clock.h"

#include <ctime>

namespace core {

Instant SystemClock::now() const {
    timespec ts{};
    ::clock_gettime(CLOCK_MONOTONIC, &ts);
    return Instant{std::chrono::seconds{ts.tv_sec} + Duration{ts.tv_nsec}};
}

WallTime SystemClock::wall() const {
    return std::chrono::system_clock::now();
}

}  // namespace core
