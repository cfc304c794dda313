// LeadingDots: the ascending offsets of the lines of a content that begin with a dot, in blocks, so
// that nothing is moved when there are many: a content of such lines alone has seventeen million in
// 50 MiB, and a vector would hold three times their size while it grows and copy for tens of
// milliseconds. Part of a Content; read by its cursors. Pure. Limit: the content's size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace relay {

class LeadingDots {
  public:
    static constexpr std::size_t kBlock = 4096;  // offsets

    void push_back(std::uint32_t offset) {
        if (size_ % kBlock == 0) blocks_.emplace_back();
        Block& block = blocks_.back();
        // The first block grows with its content; further ones will most likely be full.
        if (block.empty() && blocks_.size() > 1) block.reserve(kBlock);
        block.push_back(offset);
        ++size_;
    }
    // Nothing more comes: gives back what is left of the last block.
    void shrink() {
        if (!blocks_.empty()) blocks_.back().shrink_to_fit();
    }

    // So many octets of the content go: no line of theirs begins with a dot.
    void cut(std::uint32_t begin, std::uint32_t octets) {
        for (Block& block : blocks_) {
            for (std::uint32_t& offset : block)
                offset -= offset >= begin ? octets : 0;
        }
    }

    std::size_t size() const { return size_; }
    std::uint32_t operator[](std::size_t i) const { return blocks_[i / kBlock][i % kBlock]; }
    std::size_t memory() const {
        std::size_t octets = blocks_.capacity() * sizeof(Block);
        for (const Block& block : blocks_)
            octets += block.capacity() * sizeof(std::uint32_t);
        return octets;
    }

  private:
    using Block = std::vector<std::uint32_t>;

    std::vector<Block> blocks_;
    std::size_t size_ = 0;
};

}  // namespace relay
