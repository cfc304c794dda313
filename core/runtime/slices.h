// Slices: splits a long walk, so that no step of the loop takes longer than a few pieces, whatever
// is queued. The walker calls `co_await slices.next()` after each piece; after every `most` pieces
// the rest of the shard runs. Lives on the walker's stack; one shard. Others run in between, so the
// walk must not depend on what they may change. SliceCount is the same for code that is no
// coroutine: full() says when to stop and to go on in a later turn, by a timer that is due at once.
#pragma once

#include <coroutine>
#include <cstddef>

#include "core/runtime/next_turn.h"
#include "core/runtime/reactor.h"

namespace core {

// Recipients, domains or paths that are handled in one step: 256 of them take well below 10 ms, in
// a debug build too.
inline constexpr std::size_t kSlice = 256;

class SliceCount {
  public:
    explicit SliceCount(std::size_t most = kSlice) : left_(most) {}
    // One piece more; true: the last one of this slice.
    bool full() {
        if (left_ > 0) --left_;
        return left_ == 0;
    }

  private:
    std::size_t left_;
};

class Slices {
  public:
    explicit Slices(Reactor& reactor, std::size_t most = kSlice)
        : reactor_(reactor), most_(most), left_(most) {}

    Slices& next() { return *this; }
    bool await_ready() {
        if (--left_ > 0) return true;
        left_ = most_;
        return false;
    }
    void await_suspend(std::coroutine_handle<> handle) { NextTurn{reactor_}.await_suspend(handle); }
    void await_resume() const noexcept {}

  private:
    Reactor& reactor_;
    const std::size_t most_;
    std::size_t left_;
};

// For timers: due in the next turn.
inline constexpr Instant kAtOnce{};

}  // namespace core
