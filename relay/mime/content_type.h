// The values of Content-Type and Content-Transfer-Encoding (RFC 2045 sections 5 and 6) as far as
// the structure of a message depends on them. Pure; values are given unfolded or not, with
// comments or without. What cannot be read is what RFC 2045 section 5.2 says of it: plain text; but
// a boundary is only what every reader agrees on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relay {

inline constexpr std::size_t kMaxBoundary = 200;  // RFC 2046 says 70; some write more

struct ContentType {
    std::string type = "text";  // lower case
    std::string subtype = "plain";
    std::string boundary;  // empty: none, or none that can be used

    bool is(std::string_view wanted, std::string_view wanted_subtype) const {
        return type == wanted && subtype == wanted_subtype;
    }
};

// No value: it cannot be read.
std::optional<ContentType> parse_content_type(std::string_view value);

enum class TransferEncoding : std::uint8_t {
    seven_bit,
    eight_bit,  // 8bit and binary
    quoted_printable,
    base64,
    unknown,
};

TransferEncoding parse_transfer_encoding(std::string_view value);

}  // namespace relay
