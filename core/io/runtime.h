// Runtime: starts one thread per shard, pins it, builds its backend on it, and runs its loop.
// The program gives a function that, on each shard's thread, builds the shard's services and
// returns the task to run; when every shard's task has returned, run() returns. Signals go to one
// handler on shard 0. Errors of start-up (no ring) are returned as a sentence before any thread
// serves.
#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <string>

#include "core/base/result.h"
#include "core/io/awaited_poll.h"
#include "core/io/probe.h"
#include "core/io/shard.h"
#include "core/runtime/task.h"

namespace core {

struct RuntimeOptions {
    std::size_t shards = 1;   // see available_cpus()
    bool pin_threads = true;  // shard i to the i-th allowed CPU
    Engine engine = Engine::io_uring;
    // Few and large: the kernel cycles through all of them, so together they should fit a cache.
    std::size_t receive_buffers = 512;        // per shard; power of two
    std::size_t receive_buffer_size = 16384;  // octets
    std::uint64_t seed = 0;                   // 0: from the system
    Descriptors* descriptors = nullptr;       // outlives the runtime; null: without limit
};

// CPUs that this process may use: affinity mask, and cgroup quota rounded up.
std::size_t available_cpus();

class Runtime {
  public:
    explicit Runtime(RuntimeOptions options) : options_(options) {}
    // shard_main runs as the only root task of each shard.
    Result<void> run(std::function<Task<void>(Shard&)> shard_main);

  private:
    RuntimeOptions options_;
};

// Waits for the next of the signals given to block_signals(). Shard 0 only.
// SignalSource is a signalfd polled by the backend.
class SignalSource {
  public:
    SignalSource(Shard& shard, std::initializer_list<int> signals);
    ~SignalSource();
    Task<int> next();  // signal number; 0 after stop()
    void stop() { poll_.stop(); }

  private:
    int fd_;
    AwaitedPoll poll_;
};

// Blocks the signals in this thread and its children; called first thing in main().
void block_signals(std::initializer_list<int> signals);

}  // namespace core
