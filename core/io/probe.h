// probe: which backend this process can use. Tries io_uring for real: sets a ring up with the
// engine's flags and sizes, registers buffers, and asks for the operations that the engine submits.
// Called on the main thread before the shards start. A refusal is one sentence for an operator that
// names the likely cause (container seccomp profile, sysctl, old kernel, memlock limit).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/result.h"

namespace core {

// As asked for, and as it is.
enum class IoChoice : std::uint8_t { automatic, io_uring, epoll };
enum class Engine : std::uint8_t { io_uring, epoll };

struct ChosenEngine {
    Engine engine = Engine::io_uring;
    // A label for metrics: "configured" (asked for by name), "probed" (io_uring works), or what
    // refused it: the name of an errno such as "EPERM".
    std::string reason;
    std::string refusal;  // the sentence about it; empty unless epoll stands in
};

std::string_view name_of(Engine engine);

// automatic: io_uring, or epoll where it is refused. io_uring: that, or the refusal as an error.
Result<ChosenEngine> choose_engine(IoChoice choice);

// The errno with which io_uring is refused; no value: it is usable.
std::optional<int> io_uring_refusal();

// The sentence for an errno of io_uring_setup(2) or registration; exposed for tests.
std::string explain_io_uring_error(int error);

}  // namespace core
