// Internationalized domain names (IDNA2008, RFC 5891; mapping of UTS 46, non-transitional): a
// domain with U-labels as DNS, TLS and servers without SMTPUTF8 know it, in A-labels ("xn--…").
// Pure; the work is libidn2's. ASCII domains come back in lower case and cost no call of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relay {

// Octets above 127?
bool has_utf8(std::string_view text);

// What a domain comes to in A-labels, whose limits are those of DNS: 63 octets a label, 253 in all.
struct AForm {
    enum class Fit : std::uint8_t { fits, too_long, no_name };
    Fit fit = Fit::no_name;
    std::size_t size = 0;  // where it fits
};
AForm a_form(std::string_view domain);

// No value: it is no domain name that can be asked for.
std::optional<std::string> to_a_labels(std::string_view domain);

}  // namespace relay
