// WireReader: reads numbers, octets and names from a part of a DNS message (RFC 1035 section 4.1).
// Pure. Every read is bounded by the part, and names by the whole message, into which compression
// pointers lead; no value: it does not fit. The message outlives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dns {

class WireReader {
  public:
    WireReader(std::string_view message, std::size_t begin, std::size_t end)
        : message_(message), at_(begin), end_(end) {}

    std::size_t at() const { return at_; }
    bool at_end() const { return at_ == end_; }

    std::optional<std::uint8_t> octet() {
        if (end_ - at_ < 1) return std::nullopt;
        return static_cast<std::uint8_t>(message_[at_++]);
    }
    std::optional<std::uint16_t> word() {
        if (end_ - at_ < 2) return std::nullopt;
        const auto high = static_cast<std::uint8_t>(message_[at_]);
        const auto low = static_cast<std::uint8_t>(message_[at_ + 1]);
        at_ += 2;
        return static_cast<std::uint16_t>(high << 8 | low);
    }
    std::optional<std::uint32_t> long_word() {
        if (end_ - at_ < 4) return std::nullopt;
        const auto high = static_cast<std::uint32_t>(*word());
        return high << 16 | *word();
    }
    std::optional<std::string_view> take(std::size_t length) {
        if (end_ - at_ < length) return std::nullopt;
        const auto octets = message_.substr(at_, length);
        at_ += length;
        return octets;
    }
    std::string_view rest() { return *take(end_ - at_); }
    // In its normal form. Follows compression pointers and moves past the name.
    std::optional<std::string> name();

  private:
    std::string_view message_;
    std::size_t at_;
    std::size_t end_;
};

}  // namespace dns
