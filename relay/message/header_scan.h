// HeaderScan: watches a message's octets as they arrive, to the end of the header section (the
// empty line, or the first line that is no field), and notes what a relay must know about it: how
// often the message was received before (loops, RFC 5321 section 6.3), whether a field holds raw
// UTF-8 (RFC 6532), whether "TLS-Required: No" is there (RFC 8689 section 5), and whether it
// begins with a field at all. Fed with canonical CRLF lines in pieces of any size; the answer does
// not depend on where they were cut. Pure; holds six octets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace relay {

class HeaderScan {
  public:
    void feed(std::string_view octets) {
        if (first_length_ < first_.size()) keep_first(octets);
        if (!ended_) scan(octets);
    }
    bool ended() const { return ended_; }
    // What stands where the first field should.
    enum class Beginning : std::uint8_t { field, byte_order_mark, mbox_line, nothing, other };
    Beginning beginning() const;
    std::size_t received_fields() const { return received_; }
    bool has_utf8() const { return utf8_; }
    bool tls_waived() const { return waived_ || says_no(); }

  private:
    enum class Place : std::uint8_t { line_start, name, name_space, value };

    void keep_first(std::string_view octets);
    void scan(std::string_view octets);
    void step(char c);
    void end_name();
    void watch_value(std::string_view octets);
    bool says_no() const { return watching_ && value_ == std::array{'n', 'o', '\0'}; }

    std::array<char, 6> first_{};
    std::size_t first_length_ = 0;
    Place place_ = Place::line_start;
    bool any_field_ = false;
    bool utf8_ = false;
    bool ended_ = false;
    std::size_t name_length_ = 0;
    std::size_t matched_ = 0;  // octets of the name that agree with "received"
    std::size_t received_ = 0;
    std::size_t matched_tls_ = 0;  // likewise with "tls-required"
    bool watching_ = false;        // in the value of such a field
    std::array<char, 3> value_{};  // its first octets, in lower case, without white space
    std::size_t value_length_ = 0;
    bool waived_ = false;
};

}  // namespace relay
