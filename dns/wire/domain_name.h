// Domain names as mail uses them: what may stand after the @ or be the exchange of an MX record. A
// stricter matter than what DNS can carry: letters, digits, hyphens and underscores only, and no
// name whose last label is a number, because that is an IP address in disguise (RFC 3696 section
// 2). Internationalized domains become A-labels (RFC 5891, libidn2). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dns {

// Lower case, A-labels, no trailing dot; no value for what is not a domain that can have mail
// (address literals among them).
std::optional<std::string> mail_domain(std::string_view text);

// Whether a normal name (dns/wire/record.h) can be a host to connect to.
bool is_host_name(std::string_view normal);

}  // namespace dns
