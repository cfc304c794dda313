// HeaderScan: watches a message's octets as they arrive, to the end of the header section (the
// empty line, or the first line that is no field), and notes what a relay must know about it: how
// often the message was received before (loops, RFC 5321 section 6.3) and whether a field holds raw
// UTF-8 (RFC 6532). Fed with canonical CRLF lines in pieces of any size; the answer does not depend
// on where they were cut. Pure; holds no octets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace relay {

class HeaderScan {
  public:
    void feed(std::string_view octets) {
        if (!ended_) scan(octets);
    }
    bool ended() const { return ended_; }
    std::size_t received_fields() const { return received_; }
    bool has_utf8() const { return utf8_; }

  private:
    enum class Place : std::uint8_t { line_start, name, name_space, value };

    void scan(std::string_view octets);
    void step(char c);
    void end_name();

    Place place_ = Place::line_start;
    bool any_field_ = false;
    bool utf8_ = false;
    bool ended_ = false;
    std::size_t name_length_ = 0;
    std::size_t matched_ = 0;  // octets of the name that agree with "received"
    std::size_t received_ = 0;
};

}  // namespace relay
