// Domain names as mail uses them: what may stand after the @ or be the exchange of an MX record. A
// stricter matter than what DNS can carry: letters, digits, hyphens and underscores only, and no
// name whose last label is a number, because that is an IP address in disguise (RFC 3696 section
// 2). Internationalized domains become A-labels (RFC 5891, libidn2). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/address.h"

namespace dns {

// Lower case, A-labels, no trailing dot; no value for what is not a domain that can have mail
// (address literals among them).
std::optional<std::string> mail_domain(std::string_view text);

// The address of a literal as mail writes it: "[192.0.2.1]", "[IPv6:2001:db8::1]" in any case (RFC
// 5321 section 4.1.3).
std::optional<core::IpAddress> address_literal(std::string_view text);

// Whether a normal name (dns/wire/record.h) can be a host to connect to.
bool is_host_name(std::string_view normal);

}  // namespace dns
