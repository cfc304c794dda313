// AlignedBuffer: memory at the alignment that direct I/O wants. Owned by whoever made it; grows by
// being replaced, never in place. Its size is rounded up to whole blocks.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace core {

class AlignedBuffer {
  public:
    AlignedBuffer() = default;
    explicit AlignedBuffer(std::size_t octets);

    char* data() { return octets_.get(); }
    const char* data() const { return octets_.get(); }
    std::size_t size() const { return size_; }
    std::span<char> first(std::size_t octets) { return {octets_.get(), octets}; }

  private:
    struct Free {
        void operator()(char* octets) const;
    };
    std::unique_ptr<char[], Free> octets_;
    std::size_t size_ = 0;
};

}  // namespace core
