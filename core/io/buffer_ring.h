// BufferRing: the provided buffers of one ring, from which the kernel takes one per received piece.
// An idle connection holds none. Owned by UringBackend, one shard. A buffer taken by the kernel
// comes back by recycle(), in any order. Limit: count buffers; when all are held, receives end with
// ENOBUFS.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include <liburing.h>

#include "core/base/result.h"

namespace core {

class BufferRing {
  public:
    static constexpr int kGroup = 1;

    BufferRing() = default;
    ~BufferRing();
    BufferRing(const BufferRing&) = delete;
    BufferRing& operator=(const BufferRing&) = delete;

    // count: a power of two, at most 32768.
    IoResult<void> open(io_uring& ring, std::size_t count, std::size_t size);
    std::string_view view(int id, std::size_t length) const;
    void recycle(int id);
    std::size_t buffer_size() const { return size_; }
    std::size_t count() const { return count_; }

  private:
    char* address(int id) const { return memory_ + static_cast<std::size_t>(id) * size_; }

    io_uring_buf_ring* entries_ = nullptr;
    char* memory_ = nullptr;
    std::size_t count_ = 0;
    std::size_t size_ = 0;
};

}  // namespace core
