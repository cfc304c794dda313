// BufferPool: the receive buffers of one EpollBackend, which takes one for each received piece; an
// idle connection holds none. One shard. The buffer that came back last is given out first, because
// it is still in the processor's cache. Limit: count buffers; take() says kNoBuffer when all are
// out.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "core/base/assert.h"
#include "core/io/io_backend.h"

namespace core {

class BufferPool {
  public:
    BufferPool(std::size_t count, std::size_t size)
        : memory_(std::make_unique_for_overwrite<char[]>(count * size)),
          size_(size),
          out_(count, false) {
        for (std::size_t i = count; i > 0; --i)
            free_.push_back(static_cast<int>(i - 1));
    }

    int take() {
        if (free_.empty()) return kNoBuffer;
        const int id = free_.back();
        free_.pop_back();
        out_[static_cast<std::size_t>(id)] = true;
        return id;
    }
    void recycle(int id) {
        PH_ASSERT(is_out(id));
        out_[static_cast<std::size_t>(id)] = false;
        free_.push_back(id);
    }
    char* octets(int id) const { return memory_.get() + static_cast<std::size_t>(id) * size_; }
    std::string_view view(int id, std::size_t length) const {
        PH_ASSERT(is_out(id) && length <= size_);
        return {octets(id), length};
    }
    std::size_t size() const { return size_; }
    std::size_t count() const { return out_.size(); }

  private:
    bool is_out(int id) const {
        return id >= 0 && static_cast<std::size_t>(id) < out_.size() &&
               out_[static_cast<std::size_t>(id)];
    }

    std::unique_ptr<char[]> memory_;
    std::size_t size_;
    std::vector<bool> out_;
    std::vector<int> free_;
};

}  // namespace core
