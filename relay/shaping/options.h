// The names of options in shaping files: ours, and those of KumoMTA that this version does not
// have. A name of neither list is a mistake of whoever wrote it. Pure values.
#pragma once

#include <array>
#include <string_view>

namespace relay {

// Beside those of kTimeLimitOptions (relay/smtp/time_limits.h).
inline constexpr std::array<std::string_view, 16> kShapingOptions{"bounce_upon_5xx_greeting",
                                                                  "connection_limit",
                                                                  "enable_pipelining",
                                                                  "enable_tls",
                                                                  "ip_lookup_strategy",
                                                                  "max_age",
                                                                  "max_connection_rate",
                                                                  "max_deliveries_per_connection",
                                                                  "max_message_rate",
                                                                  "max_recipients_per_batch",
                                                                  "mx_rollup",
                                                                  "pipeline_next",
                                                                  "reconnect_strategy",
                                                                  "replace_base",
                                                                  "retry_intervals",
                                                                  "tls"};

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
