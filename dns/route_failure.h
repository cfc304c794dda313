// Failures of routing as RouteFailure, and the questions about hosts and addresses that dns/mx.cc
// and dns/host_addresses.cc both have. Pure functions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/base/address.h"
#include "dns/mx.h"

namespace dns {

// Facts that follow from a domain's or host's own spelling do not change; look again in a day.
inline constexpr std::chrono::seconds kForLong = std::chrono::days{1};

RouteFailure failure(FailureKind kind, std::string text, std::chrono::seconds ttl);
// The lookup failed: is_temporary(answer).
RouteFailure temporary_failure(std::string_view name, RecordType type, const DnsAnswer& answer);
// One answer says that the name does not exist, another one that it does: temporary, because one of
// them is wrong and nobody knows which (RFC 4074 section 4.2).
RouteFailure contradiction(std::string_view name, std::chrono::seconds ttl);

bool is_own(const RoutingRules& rules, const core::IpAddress& address);
bool is_prohibited(const RoutingRules& rules, const core::IpAddress& address);

}  // namespace dns
