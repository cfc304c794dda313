// DotScanner: finds the end of DATA content, CRLF "." CRLF, in pieces of any size without copying
// (RFC 5321 section 4.1.1.4). The content may be empty: the CRLF of the DATA line counts.
// Bare LF never ends a line here, so a relay that lets one through is not rewarded.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

namespace bench {

class DotScanner {
  public:
    void reset() { matched_ = 2; }

    // How many octets of input belong to the content, its end included; found() tells whether the
    // end is among them.
    std::size_t scan(std::string_view input) {
        std::size_t i = 0;
        while (i < input.size()) {
            if (matched_ != 0) {
                step(input[i++]);
                if (matched_ == kEnd.size()) return i;
                continue;
            }
            i = leap(input, i);
        }
        return i;
    }
    bool found() const { return matched_ == kEnd.size(); }

  private:
    static constexpr std::string_view kEnd = "\r\n.\r\n";

    void step(char c) {
        if (c == kEnd[matched_]) {
            ++matched_;
        } else {
            matched_ = c == '\r' ? 1 : 0;
        }
    }

    // Nothing is matched before `from`: the end can only be around a dot that follows a CRLF.
    // Goes after that CRLF's dot, or to the end of the input, noting what the tail matches.
    std::size_t leap(std::string_view input, std::size_t from) {
        for (std::size_t at = from;;) {
            const void* hit = at < input.size()
                                  ? std::memchr(input.data() + at, '.', input.size() - at)
                                  : nullptr;
            if (hit == nullptr) break;
            at = static_cast<std::size_t>(static_cast<const char*>(hit) - input.data());
            if (at >= from + 2 && input[at - 1] == '\n' && input[at - 2] == '\r') {
                matched_ = 3;
                return at + 1;
            }
            ++at;
        }
        const std::string_view tail = input.substr(from);
        matched_ = tail.ends_with("\r\n") ? 2 : tail.ends_with('\r') ? 1 : 0;
        return input.size();
    }

    std::size_t matched_ = 2;
};

}  // namespace bench
