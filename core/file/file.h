// Reading and writing files through the shard's ring: awaitables over IoBackend's operations. The
// handle and the memory belong to the caller and stay valid until the awaited call returned. Used
// on the shard's thread.
#pragma once

#include <coroutine>
#include <cstdint>
#include <span>

#include "core/base/result.h"
#include "core/io/shard.h"
#include "core/runtime/task.h"

namespace core {

// All of them, or an error; EIO when the file ends before.
Task<IoResult<void>> read_fully(Shard& shard, Handle file, std::span<char> octets,
                                std::uint64_t offset);

// All of them, or an error. synced: durable when it returns.
Task<IoResult<void>> write_fully(Shard& shard, Handle file, std::span<const char> octets,
                                 std::uint64_t offset, bool synced);

Task<IoResult<void>> sync(Shard& shard, Handle file_or_directory);

// One turn of the loop for the others, in a long computation.
class Yield {
  public:
    explicit Yield(Reactor& reactor) : reactor_(reactor) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) { reactor_.schedule(handle); }
    void await_resume() const noexcept {}

  private:
    Reactor& reactor_;
};

}  // namespace core
