// TextBlocks: a long text that is filled at its end and taken from its beginning, block by block,
// so that nothing is moved when it grows and each block is given back when it was taken. Pure; one
// owner. Limit: the owner's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace relay {

class TextBlocks {
  public:
    void append(std::string_view text) {
        size_ += text.size();
        while (!text.empty()) {
            if (blocks_.empty() || blocks_.back().size() == blocks_.back().capacity()) {
                const std::size_t last = blocks_.empty() ? kFirst / 4 : blocks_.back().capacity();
                blocks_.emplace_back().reserve(std::min(4 * last, kLargest));
            }
            std::string& block = blocks_.back();
            const std::size_t length = std::min(text.size(), block.capacity() - block.size());
            block += text.substr(0, length);
            text.remove_prefix(length);
        }
    }

    std::size_t size() const { return size_; }  // octets that were not taken
    bool empty() const { return size_ == 0; }
    // The first block; there must be one.
    std::string take() {
        std::string block = std::move(blocks_.front());
        blocks_.pop_front();
        size_ -= block.size();
        return block;
    }
    // A copy of the first octets.
    std::string head(std::size_t limit) const {
        std::string text;
        for (const std::string& block : blocks_) {
            if (text.size() == limit) break;
            text += std::string_view(block).substr(0, limit - text.size());
        }
        return text;
    }

  private:
    static constexpr std::size_t kFirst = 4096;
    static constexpr std::size_t kLargest = 65536;

    std::deque<std::string> blocks_;
    std::size_t size_ = 0;
};

}  // namespace relay
