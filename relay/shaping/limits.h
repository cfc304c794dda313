// ShapingLimits: the limits of one path, as values. Where they come from, in rising order: the
// built-in values below, [shaping] default of the configuration, ["default"] of the shaping files,
// the table of the provider, that of the domain (relay/shaping/policy.h). Pure. Every limit is at
// least 1; none means "unlimited".
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/time.h"
#include "core/base/units.h"
#include "relay/shaping/tls_policy.h"
#include "relay/smtp/time_limits.h"

namespace relay {

// Which addresses of a host are tried, and which family first. KumoMTA's words for it.
enum class IpLookup : std::uint8_t { v4_and_v6, v6_and_v4, v4_only, v6_only };
inline constexpr std::array<std::pair<std::string_view, IpLookup>, 4> kIpLookupWords{
    {{"Ipv4AndIpv6", IpLookup::v4_and_v6},
     {"Ipv6AndIpv4", IpLookup::v6_and_v4},
     {"Ipv4Only", IpLookup::v4_only},
     {"Ipv6Only", IpLookup::v6_only}}};

// After a host that refuses to talk (421 or another 4yz in its greeting or reply to EHLO).
enum class Reconnect : std::uint8_t { next_host, same_host, terminate };
inline constexpr std::array<std::pair<std::string_view, Reconnect>, 3> kReconnectWords{
    {{"ConnectNextHost", Reconnect::next_host},
     {"ReconnectSameHost", Reconnect::same_host},
     {"TerminateSession", Reconnect::terminate}}};

// Whether the envelope of the next message leaves after the final dot of the one before
// (docs/decisions/0003-pipelining-modes.md). automatic: until a server of the site loses track, and
// that is remembered; on: each connection tries again; off: never.
enum class PipelineNext : std::uint8_t { automatic, off, on };
inline constexpr std::array<std::pair<std::string_view, PipelineNext>, 3> kPipelineNextWords{
    {{"auto", PipelineNext::automatic}, {"off", PipelineNext::off}, {"on", PipelineNext::on}}};

// When mail of a destination is tried again, where that is not as [retry] says.
struct RetryRule {
    std::vector<core::Duration> intervals;  // none: as [retry] says
    core::Duration max_age{};               // zero: as [retry] says
    bool operator==(const RetryRule&) const = default;
};

struct ShapingLimits {
    std::uint32_t connection_limit = 10;  // connections open at once
    std::uint32_t max_deliveries_per_connection = 100;
    core::Rate max_message_rate{100, std::chrono::seconds(1)};
    core::Rate max_connection_rate{100, std::chrono::minutes(1)};
    std::optional<TlsPolicy> tls{};  // without: as the route or [delivery] says
    IpLookup ip_lookup = IpLookup::v4_and_v6;
    Reconnect reconnect = Reconnect::next_host;
    bool bounce_upon_5xx_greeting = false;  // otherwise the host is passed over
    std::uint32_t max_recipients_per_batch = 100;
    bool enable_pipelining = true;  // false: one command at a time, whatever is offered
    PipelineNext pipeline_next = PipelineNext::automatic;
    std::shared_ptr<const RetryRule> retry{};          // null: as [retry] says
    std::shared_ptr<const TimeLimits> times{};         // null: the defaults
    std::shared_ptr<const std::string> ehlo_domain{};  // null: [node] hostname
    std::uint16_t smtp_port = 0;                       // of MX hosts; 0: as [delivery] says
    bool enable_mta_sts = true;
    bool enable_dane = true;
    // Of all sites of the provider together; 0 and none: unlimited.
    std::uint32_t provider_connection_limit = 0;
    std::optional<core::Rate> provider_max_message_rate{};

    bool shares_with_provider() const {
        return provider_connection_limit > 0 || provider_max_message_rate.has_value();
    }
    const TimeLimits& time_limits() const { return times == nullptr ? kTimeLimits : *times; }
    bool operator==(const ShapingLimits&) const = default;
};

// Largest values that make sense; beyond them a configuration is refused as a mistake.
inline constexpr std::uint32_t kMostConnectionsPerPath = 100'000;
inline constexpr std::size_t kMostRetryIntervals = 100;
inline constexpr std::uint32_t kMostRecipientsPerBatch = 1000;
inline constexpr std::uint32_t kMostDeliveriesPerConnection = 1'000'000'000;

}  // namespace relay
