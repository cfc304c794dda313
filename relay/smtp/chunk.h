// Chunk: the octets that follow one BDAT (RFC 3030 section 2). They are read whatever is answered:
// a chunk that is refused is dropped to its end, and answered then. Pure; owned by one
// ServerDialogue. It holds no content.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "relay/smtp/command.h"

namespace relay {

class Chunk {
  public:
    void begin(BdatCommand bdat) {
        size_ = left_ = bdat.size;
        last_ = bdat.last;
        refusal_.clear();
    }
    // Takes those octets of the input that are the chunk's.
    std::string_view take(std::string_view input) {
        input = input.substr(0, std::min<std::uint64_t>(input.size(), left_));
        left_ -= input.size();
        return input;
    }
    void refuse(ReplyLine reply) { refusal_ = reply; }

    bool complete() const { return left_ == 0; }
    std::uint64_t size() const { return size_; }
    bool last() const { return last_; }
    bool refused() const { return !refusal_.empty(); }
    ReplyLine refusal() const { return refusal_; }

  private:
    std::uint64_t size_ = 0;
    std::uint64_t left_ = 0;
    bool last_ = false;
    std::string refusal_;  // empty: none
};

}  // namespace relay
