// BatchWait: when a loop should wait a little longer so that several completions come at once. A
// busy loop that wakes for each completion enters the kernel for each; a loop with one client that
// waited for a second completion would only add delay. So it asks what a longer wait brings: one
// wait in kProbeEvery is a long one, and while long waits bring kWorthwhile completions or more on
// average all are long. What counts is what arrives from clients and servers: a lone client causes
// two receives at most before it waits for us, its own and that of its mail's server.
// A long wait ends with kMost completions or after kLongest, and never after what the loop's timers
// ask for. A client thus waits at most kLongest more for a step, and only beside others.
// Pure; part of one backend, on its thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/assert.h"
#include "core/base/time.h"

namespace core {

class BatchWait {
  public:
    static constexpr Duration kLongest = std::chrono::microseconds{100};
    static constexpr unsigned kMost = 12;        // completions that end a long wait
    static constexpr unsigned kWorthwhile = 4;   // receives on average
    static constexpr unsigned kProbeEvery = 64;  // waits

    // Asked once before each wait that may sleep: should this one be long?
    bool next_is_long() {
        if (state_ == State::batched) return true;
        if (++waits_ % kProbeEvery != 0) return false;
        state_ = State::probing;
        return true;
    }
    // How many receives a long wait brought.
    void note(std::size_t receives) {
        PH_ASSERT(state_ != State::single);
        average_ += (static_cast<double>(receives) - average_) * kWeight;
        state_ = average_ >= kWorthwhile ? State::batched : State::single;
    }
    bool batched() const { return state_ == State::batched; }

  private:
    enum class State : std::uint8_t { single, probing, batched };
    static constexpr double kWeight = 0.25;

    State state_ = State::single;
    std::uint64_t waits_ = 0;
    double average_ = 0;
};

}  // namespace core
