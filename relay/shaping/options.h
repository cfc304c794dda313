// The options of shaping files: ours, each with how it is read and what it means, and the names of
// KumoMTA's that this version does not have. A name of neither list is a mistake of whoever wrote
// it. A new option is a member of ShapingLimits and an entry of the list here;
// docs/configuration.md follows (tests/unit/config/keys_page_test.cc). Pure values that live for
// ever.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/toml.h"
#include "relay/shaping/limits.h"

namespace relay {

// What the value of an option comes to.
struct ReadLimit {
    std::function<void(ShapingLimits&)> set;  // empty: the option changes no limit
    std::string wrong;                        // what the value must be; empty: it is right
    std::string warning;                      // the sentence after the option's name; empty: none
};

struct ShapingOption {
    std::string_view name;
    std::string_view meaning;  // Markdown
    ReadLimit (*read)(const core::TomlValue& value);
    std::string (*write)(const ShapingLimits& limits);  // null: it changes no limit
};

// Those of time limits among them, which come last in the order of kTimeLimitOptions.
std::span<const ShapingOption> shaping_options();
const ShapingOption* find_shaping_option(std::string_view name);  // nullptr: there is none

// kumo.make_egress_path() of KumoMTA, and what its shaping helper puts into a table beside them.
inline constexpr std::array<std::string_view, 47> kKumoOptions{
    "additional_connection_limits",
    "additional_message_rate_throttles",
    "additional_source_selection_rates",
    "aggressive_connection_opening",
    "allow_smtp_auth_plain_without_tls",
    "allow_smtp_auth_plain_without_valid_certificate",
    "automation",
    "consecutive_connection_failures_before_delay",
    "dispatcher_progress_watchdog_timeout",
    "dispatcher_wakeup_strategy",
    "ehlo_domain",
    "enable_dane",
    "enable_mta_sts",
    "enable_rset",
    "ignore_8bit_checks",
    "low_memory_reduction_policy",
    "maintainer_wakeup_strategy",
    "match",
    "max_ready",
    "no_memory_reduction_policy",
    "openssl_cipher_list",
    "openssl_cipher_suites",
    "openssl_options",
    "opportunistic_tls_reconnect_on_failed_handshake",
    "prohibited_hosts",
    "provider_connection_limit",
    "provider_max_message_rate",
    "provider_name",
    "provider_source_selection_rate",
    "readyq_pool_name",
    "refresh_interval",
    "refresh_strategy",
    "remember_broken_tls",
    "rustls_cipher_suites",
    "skip_hosts",
    "smtp_auth_plain_password",
    "smtp_auth_plain_username",
    "smtp_port",
    "source_selection_rate",
    "sources",
    "system_shutdown_timeout",
    "tls_certificate",
    "tls_prefer_openssl",
    "tls_private_key",
    "try_next_host_on_transport_error",
    "use_lmtp",
    "xclient",
};

}  // namespace relay
