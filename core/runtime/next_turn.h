// NextTurn: `co_await NextTurn{reactor}` lets the rest of the shard run before a long piece of work
// goes on. One shard; resumed in the next turn of the reactor, whatever else happens.
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
