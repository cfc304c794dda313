// NextTurn: `co_await NextTurn{reactor}` yields: the rest of the shard runs before a long piece of
// work goes on. One shard; the reactor resumes the coroutine in its next turn, whatever else
// happens.
#pragma once

#include <coroutine>

#include "core/runtime/reactor.h"

namespace core {

struct NextTurn {
    Reactor& reactor;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) { reactor.schedule_next(handle); }
    void await_resume() const noexcept {}
};

}  // namespace core
