#include "relay/intake/http/address_list.h"

#include "core/base/assert.h"

namespace relay {

void AddressList::end() {
    const std::size_t needed = current_.size() + 2;
    if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < needed) {
        const std::size_t size = blocks_.empty() ? kFirstBlock + kKept : kBlock;
        blocks_.emplace_back().reserve(size);
    }
    std::string& block = blocks_.back();
    block += static_cast<char>(current_.size() >> 8);
    block += static_cast<char>(current_.size() & 0xff);
    block += current_;
    current_.clear();
    ++size_;
}

std::size_t AddressList::memory() const {
    if (blocks_.empty()) return 0;
    return (blocks_.size() - 1) * kBlock + blocks_.back().size();
}

std::string_view AddressList::next() {
    PH_ASSERT(!done());
    while (at_ == blocks_[block_].size()) {
        std::string().swap(blocks_[block_++]);
        at_ = 0;
    }
    const std::string& block = blocks_[block_];
    const auto octet = [&block](std::size_t i) { return static_cast<unsigned char>(block[i]); };
    const std::size_t length = std::size_t{octet(at_)} << 8 | octet(at_ + 1);
    const std::string_view text = std::string_view(block).substr(at_ + 2, length);
    at_ += 2 + length;
    ++read_;
    return text;
}

}  // namespace relay
