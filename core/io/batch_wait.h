// BatchWait: whether a loop that is about to sleep first lets other threads of its CPU run. What
// they send meanwhile is found in one turn, where a sleeping loop would be woken by each of it
// (docs/decisions/0060). On a CPU of its own the call returns at once. A thread that computes
// without a pause would take the CPU for milliseconds each time: after a yield that lasted longer
// than kLong the next kRest waits only sleep, so that a neighbour costs 1 % of the turns. Pure;
// owned by the backend of a loop.
#pragma once

#include "core/base/time.h"

namespace core {

class BatchWait {
  public:
    static constexpr Duration kLong = std::chrono::milliseconds{1};
    static constexpr unsigned kRest = 100;

    // A wait begins. True: yield first, and tell how long it lasted.
    bool yields_first() {
        if (rest_ == 0) return true;
        --rest_;
        return false;
    }
    void yielded(Duration lasted) {
        if (lasted > kLong) rest_ = kRest;
    }

  private:
    unsigned rest_ = 0;
};

}  // namespace core
