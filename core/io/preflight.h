// preflight: can this process use the io_uring that the engine needs? Tries for real: sets a ring
// up with the engine's flags, registers buffers. The answer to "no" is one sentence for an operator
// that names the likely cause (container seccomp profile, sysctl, old kernel, memlock limit).
#pragma once

#include <optional>
#include <string>

namespace core {

// No value: io_uring is usable.
std::optional<std::string> io_uring_unavailable();

// The sentence for an errno of io_uring_setup(2) or registration; exposed for tests.
std::string explain_io_uring_error(int error);

}  // namespace core
