#include "core/runtime/turn_watchdog.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "core/base/assert.h"
#include "core/runtime/symbol_name.h"

namespace core {

namespace {

Duration read_clock(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return std::chrono::seconds{time.tv_sec} + Duration{time.tv_nsec};
}

Duration limit(Duration usual) {
    if (const char* const text = std::getenv("POSTHASTE_TURN_BUDGET_MS")) {
        const long milliseconds = std::strtol(text, nullptr, 10);
        return milliseconds > 0 ? Duration{std::chrono::milliseconds{milliseconds}}
                                : Duration::max();
    }
    return usual * TurnWatchdog::kSlowness;
}

double milliseconds(Duration span) {
    return std::chrono::duration<double, std::milli>(span).count();
}

}  // namespace

TurnWatchdog::TurnWatchdog() : budget_(limit(kBudget)), end_(limit(kEnd)) {}

void TurnWatchdog::begin_turn() {
    step_begun_ = read_clock(CLOCK_MONOTONIC);
    if (step_begun_ - looked_ > kFresh) look(step_begun_);
}

void TurnWatchdog::look(Duration now) {
    looked_ = now;
    cpu_then_ = read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void TurnWatchdog::end() {
    const Duration now = read_clock(CLOCK_MONOTONIC);
    if (excused_) {
        excused_ = false;
        look(now);
    } else if (now - step_begun_ > budget_) {
        // What came before took no more of the processor than of the clock.
        const Duration before = step_begun_ - looked_;
        const Duration took = read_clock(CLOCK_THREAD_CPUTIME_ID) - cpu_then_ - before;
        if (took > budget_) bark(took);
    }
    step_begun_ = now;
}

void TurnWatchdog::bark(Duration took) const {
    const std::string name =
        kind_ == Kind::timer ? type_name(static_cast<const char*>(what_)) : symbol_name(what_);
    const char* const kind = kind_ == Kind::timer    ? "the timer"
                             : kind_ == Kind::letter ? "the letter"
                                                     : "the coroutine";
    std::fprintf(stderr, "posthaste: bug: %s %s kept the loop for %.1f ms; the limit is %.0f ms\n",
                 kind, name.c_str(), milliseconds(took), milliseconds(budget_));
    if (took > end_) std::abort();
}

}  // namespace core
