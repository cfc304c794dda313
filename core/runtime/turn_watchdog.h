// TurnWatchdog: names on stderr each step of a loop (a resumed coroutine, a timer or a letter) that
// takes more than kBudget of processor time, and ends the program at one that takes more than
// kEnd. The time of the thread counts, not that of the clock on the wall: a busy machine is no
// fault of the step. A virtual machine counts for the thread what its host took from it, though, so
// that a sound step may seem to take more than kBudget, but not kEnd (docs/decisions/0031).
// Debug builds only (core_runtime has POSTHASTE_WATCHDOG there): elsewhere its loop makes none of
// these calls. Part of its Reactor; on its thread. A step costs one look at the clock on the wall.
// That of the thread costs a system call: it is looked at when the last look is kFresh old, so that
// a step that follows idle time may take so much more unseen.
// POSTHASTE_TURN_BUDGET_MS in the environment: milliseconds instead of both (0: neither).
#pragma once

#include <coroutine>
#include <cstdint>
#include <typeinfo>

#include "core/base/time.h"
#include "core/runtime/timer_set.h"

namespace core {

class TurnWatchdog {
  public:
    // Instrumented code is so much slower (docs/testing.md).
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
    static constexpr int kSlowness = 20;
#elif __has_feature(address_sanitizer)
    static constexpr int kSlowness = 8;
#else
    static constexpr int kSlowness = 1;
#endif
    static constexpr Duration kBudget = std::chrono::milliseconds{10};
    static constexpr Duration kEnd = std::chrono::milliseconds{25};

    static constexpr Duration kFresh = std::chrono::milliseconds{1};

    TurnWatchdog();
    void begin_turn();
    // What runs next. Called before, since it may be gone afterwards.
    void begin(std::coroutine_handle<> coroutine) {
        what_ = *static_cast<const void* const*>(coroutine.address());  // where it goes on
        kind_ = Kind::coroutine;
    }
    void begin(const Timer& timer) {
        what_ = typeid(timer).name();
        kind_ = Kind::timer;
    }
    void begin_letter(const void* function) {
        what_ = function;
        kind_ = Kind::letter;
    }
    void end();
    // The step that runs now may take long: nobody is served yet, or any more.
    void excuse() { excused_ = true; }

  private:
    enum class Kind : std::uint8_t { coroutine, timer, letter };
    void look(Duration now);
    void bark(Duration took) const;

    Duration budget_;
    Duration end_;
    Duration looked_{};      // on the wall, when
    Duration cpu_then_{};    // was the time of the thread
    Duration step_begun_{};  // on the wall
    const void* what_ = nullptr;
    Kind kind_ = Kind::coroutine;
    bool excused_ = false;
};

}  // namespace core
