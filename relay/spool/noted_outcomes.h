// NotedOutcomes: a FIFO of outcome records that wait to be written, kept in blocks. Taking some
// from the front moves none of the others, however many wait: a site with millions of recipients
// that fails notes them faster than a disk takes them. Part of a Journal. Pure. Limit: the
// journal's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "core/base/assert.h"
#include "relay/spool/octets.h"
#include "relay/spool/record.h"

namespace relay {

class NotedOutcomes {
  public:
    static constexpr std::size_t kBlock = 64 * 1024;  // octets, and the rest of a record

    void add(const OutcomeRecord& outcome) {
        if (blocks_.empty() || blocks_.back().size() >= kBlock) blocks_.emplace_back();
        std::string& block = blocks_.back();
        const std::size_t at = block.size();
        put(block, std::uint32_t{0});
        encode_outcome(outcome, block);
        put_at(block.data() + at, static_cast<std::uint32_t>(block.size() - at - kLength));
        octets_ += block.size() - at;
        ++count_;
    }
    // The body of the first record; there must be one. Valid until the next call.
    std::string_view front() const {
        PH_ASSERT(count_ > 0);
        const std::string_view left = std::string_view(blocks_.front()).substr(taken_);
        return left.substr(kLength, get_at<std::uint32_t>(left.data()));
    }
    void pop() {
        const std::size_t octets = kLength + front().size();
        octets_ -= octets;
        taken_ += octets;
        --count_;
        if (taken_ < blocks_.front().size()) return;
        blocks_.pop_front();
        taken_ = 0;
    }
    void clear() {
        blocks_.clear();
        octets_ = taken_ = count_ = 0;
    }

    std::size_t octets() const { return octets_; }
    std::size_t count() const { return count_; }
    bool empty() const { return count_ == 0; }

  private:
    static constexpr std::size_t kLength = sizeof(std::uint32_t);  // before each body

    std::deque<std::string> blocks_;
    std::size_t taken_ = 0;  // of the first block
    std::size_t octets_ = 0;
    std::size_t count_ = 0;
};

}  // namespace relay
