// AddressList: the addresses that a request names, as texts in the order given, in few large
// blocks: a million of them cost what they are long and two octets each. Filled by add() and end(),
// then read once by next(), which gives each block back when it is past it. Pure; one owner.
// Limit: kKept octets of an address; what is longer is none anyway (RFC 5321 section 4.5.3.1.3).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

class AddressList {
  public:
    static constexpr std::size_t kKept = 320;

    // A part of the address at hand, then its end.
    void add(std::string_view part) { current_ += part.substr(0, kKept - current_.size()); }
    void end();

    std::size_t size() const { return size_; }
    std::size_t memory() const;

    bool done() const { return read_ == size_; }
    // The next one; valid until the next call.
    std::string_view next();

  private:
    static constexpr std::size_t kFirstBlock = 256;
    static constexpr std::size_t kBlock = 64 * 1024;

    std::vector<std::string> blocks_;  // lengths of two octets, each followed by its text
    std::string current_;
    std::size_t size_ = 0;
    std::size_t read_ = 0;
    std::size_t block_ = 0;  // being read
    std::size_t at_ = 0;
};

}  // namespace relay
