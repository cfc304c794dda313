#include "core/io/buffer_ring.h"

#include <sys/mman.h>

#include "core/base/assert.h"

namespace core {

namespace {

void* map_pages(std::size_t length) {
    void* memory =
        ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

BufferRing::~BufferRing() {
    if (memory_ != nullptr) ::munmap(memory_, count_ * size_);
    if (entries_ != nullptr) ::munmap(entries_, count_ * sizeof(io_uring_buf));
}

IoResult<void> BufferRing::open(io_uring& ring, std::size_t count, std::size_t size) {
    PH_ASSERT((count & (count - 1)) == 0 && count <= 32768);
    count_ = count;
    size_ = size;
    entries_ = static_cast<io_uring_buf_ring*>(map_pages(count * sizeof(io_uring_buf)));
    memory_ = static_cast<char*>(map_pages(count * size));
    if (entries_ == nullptr || memory_ == nullptr) return io_error(ENOMEM);

    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(entries_);
    registration.ring_entries = static_cast<unsigned>(count);
    registration.bgid = kGroup;
    const int result = io_uring_register_buf_ring(&ring, &registration, 0);
    if (result < 0) return io_error(-result);

    io_uring_buf_ring_init(entries_);
    const int mask = io_uring_buf_ring_mask(static_cast<unsigned>(count));
    for (std::size_t i = 0; i < count; ++i) {
        const int id = static_cast<int>(i);
        io_uring_buf_ring_add(entries_, address(id), static_cast<unsigned>(size),
                              static_cast<unsigned short>(id), mask, id);
    }
    io_uring_buf_ring_advance(entries_, static_cast<int>(count));
    return {};
}

std::string_view BufferRing::view(int id, std::size_t length) const {
    PH_ASSERT(id >= 0 && static_cast<std::size_t>(id) < count_ && length <= size_);
    return {address(id), length};
}

void BufferRing::recycle(int id) {
    PH_ASSERT(id >= 0 && static_cast<std::size_t>(id) < count_);
    io_uring_buf_ring_add(entries_, address(id), static_cast<unsigned>(size_),
                          static_cast<unsigned short>(id),
                          io_uring_buf_ring_mask(static_cast<unsigned>(count_)), 0);
    io_uring_buf_ring_advance(entries_, 1);
}

}  // namespace core
