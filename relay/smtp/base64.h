// Base64 (RFC 4648 section 4) of a few octets at once, as SASL writes it. Pure; what is not base64
// is no value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relay {

std::string to_base64(std::string_view octets);
std::optional<std::string> from_base64(std::string_view text);

}  // namespace relay
