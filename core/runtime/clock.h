// Time as the rest of the code sees it: a seam, so that simulations run days in milliseconds.
// Lives on one shard; the shard's reactor samples it once per loop turn.
#pragma once

#include "core/base/time.h"

namespace core {

class Clock {
  public:
    virtual ~Clock() = default;
    virtual Instant now() const = 0;
    virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
  public:
    Instant now() const override;
    WallTime wall() const override;
};

// Moves only when told to.
class VirtualClock final : public Clock {
  public:
    explicit VirtualClock(WallTime epoch) : epoch_(epoch) {}
    Instant now() const override { return now_; }
    WallTime wall() const override { return epoch_ + now_.time_since_epoch(); }
    void advance_to(Instant instant) {
        if (instant > now_) now_ = instant;
    }

  private:
    WallTime epoch_;
    Instant now_{};
};

}  // namespace core
