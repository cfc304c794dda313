// What tests of the kernel's backends share: an operation that keeps its completions, a pair of
// connected sockets, turning until something holds.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include "core/io/epoll_backend.h"
#include "core/io/uring_backend.h"

namespace core::test {

class Counter final : public Operation {
  public:
    std::vector<Completion> seen;
    int result() const { return seen.empty() ? 0 : seen.back().result; }

  private:
    void complete(const Completion& completion) override { seen.push_back(completion); }
};

struct Socketpair {
    Socketpair() { PH_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); }
    ~Socketpair() {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    Socketpair(const Socketpair&) = delete;
    Socketpair& operator=(const Socketpair&) = delete;
    int ends[2]{};
};

// Turns until the condition holds; gives up after some seconds.
template <typename Condition>
bool wait_until(IoBackend& io, Condition condition) {
    const SystemClock clock;
    const Instant end = clock.now() + std::chrono::seconds{10};
    while (!condition()) {
        if (clock.now() > end) return false;
        io.wait(clock.now() + std::chrono::milliseconds{20});
    }
    return true;
}

inline bool wait_for(IoBackend& io, const Operation& operation) {
    return wait_until(io, [&operation] { return !operation.in_flight(); });
}

struct BufferOptions {
    std::size_t count = 8;
    std::size_t size = 16384;
};

// kind: "uring" or "epoll". The clock outlives it.
inline std::unique_ptr<IoBackend> make_backend(const std::string& kind, const Clock& clock,
                                               BufferOptions buffers = {}) {
    if (kind == "epoll") {
        auto made = EpollBackend::create({buffers.count, buffers.size}, clock);
        PH_ASSERT(made.has_value());
        return std::move(*made);
    }
    auto made = UringBackend::create({.submission_entries = 8,
                                      .completion_entries = 64,
                                      .receive_buffers = buffers.count,
                                      .receive_buffer_size = buffers.size},
                                     clock);
    PH_ASSERT(made.has_value());
    return std::move(*made);
}

}  // namespace core::test
