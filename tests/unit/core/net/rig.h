// Rig: one shard on which stream tests run, over any backend. The same test body runs on io_uring
// and on epoll over loopback and on the simulated network, so that all are held to the same. run()
// drives the shard until the task ends; a test that hangs is ended by ctest's time limit (real) or
// reported at once (simulated). Limits of the receive buffers are the test's choice.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"

namespace core::test {

struct RigOptions {
    std::size_t receive_buffers = 256;
    std::size_t receive_buffer_size = 1024;
};

class Rig {
  public:
    virtual ~Rig() = default;
    virtual Shard& shard() = 0;
    virtual void run(Task<void> task) = 0;
    virtual void half_close(Handle handle) = 0;  // FIN, but keeps receiving
};

// kind: "uring", "epoll", "sim" (orderly) or "ragged" (short writes, one-octet segments, late
// completions).
std::unique_ptr<Rig> make_rig(const std::string& kind, RigOptions options = {});

// A raw operation and all its completions; the test awaits them one by one.
class Probe final : public Operation {
  public:
    explicit Probe(Shard& shard) : arrived_(shard.reactor()) {}
    Task<Completion> next();  // waits for a completion not yet returned
    std::size_t count() const { return seen_.size(); }

  private:
    void complete(const Completion& completion) override;
    std::vector<Completion> seen_;
    std::size_t returned_ = 0;
    Event arrived_;
};

struct Pair {
    Handle client = kNoHandle;
    Handle server = kNoHandle;
    SocketAddress client_address;
    SocketAddress server_address;
};

// Two connected handles of the shard.
Task<Pair> connected_pair(Shard& shard);

// Lets (real or virtual) time pass.
Task<void> pause(Shard& shard, Duration span);

}  // namespace core::test
