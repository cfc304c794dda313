#include "core/file/aligned_buffer.h"

#include <new>

#include "core/file/disk.h"

namespace core {

AlignedBuffer::AlignedBuffer(std::size_t octets)
    : size_((octets + kDiskBlock - 1) / kDiskBlock * kDiskBlock) {
    octets_.reset(static_cast<char*>(::operator new(size_, std::align_val_t{kDiskBlock})));
}

void AlignedBuffer::Free::operator()(char* octets) const {
    ::operator delete(octets, std::align_val_t{kDiskBlock});
}

}  // namespace core
