#include "relay/shaping/kumo_options.h"

#include <algorithm>
#include <array>
#include <string>

#include "core/base/units.h"
#include "relay/shaping/throttle.h"

namespace relay {
namespace {

using core::TomlMember;
using core::TomlValue;
using Kind = TomlValue::Kind;
using Form = KumoOption::Form;

constexpr std::string_view kLogin = "a login belongs to a [[route]]: username and password_file";
constexpr std::string_view kCipher = "OpenSSL's ciphers for TLS 1.2 and 1.3 are used";
constexpr std::string_view kInner = "it tunes the inside of KumoMTA";
constexpr std::string_view kSources = "egress sources come later";
constexpr std::string_view kWide = "a limit over several destinations is that of a provider";
constexpr std::string_view kMemory =
    "contents leave memory by themselves when [memory] limit comes near";

constexpr auto kOptions = std::to_array<KumoOption>({
    {"additional_connection_limits", Form::limits, kWide},
    {"additional_message_rate_throttles", Form::rates, kWide},
    {"additional_source_selection_rates", Form::rates, kSources},
    {"aggressive_connection_opening", Form::flag,
     "connections open as fast as max_connection_rate allows", "true"},
    {"allow_smtp_auth_plain_without_tls", Form::flag, kLogin, "false"},
    {"allow_smtp_auth_plain_without_valid_certificate", Form::flag, kLogin, "false"},
    {"consecutive_connection_failures_before_delay", Form::number,
     "a site pauses when none of its connections works any more, whatever their number"},
    {"dispatcher_progress_watchdog_timeout", Form::time, kInner},
    {"dispatcher_wakeup_strategy", Form::text, kInner},
    {"enable_rset", Form::flag, "RSET is sent only where a transaction has to be undone", "false"},
    {"ignore_8bit_checks", Form::flag,
     "content is made 7-bit before it is queued, as eight_bit of the listener says", "false"},
    {"low_memory_reduction_policy", Form::text, kMemory},
    {"maintainer_wakeup_strategy", Form::text, kInner},
    {"max_ready", Form::number, "the queue is bounded by [memory] limit and [spool] max_size"},
    {"no_memory_reduction_policy", Form::text, kMemory},
    {"openssl_cipher_list", Form::text, kCipher},
    {"openssl_cipher_suites", Form::text, kCipher},
    {"openssl_options", Form::text, kCipher},
    {"opportunistic_tls_reconnect_on_failed_handshake", Form::flag,
     "where TLS fails and need not be, a new connection in clear text is made", "true"},
    {"prohibited_hosts", Form::list, "[delivery] prohibited_hosts holds for all destinations"},
    {"provider_name", Form::text, "the name is that of the table [provider.\"…\"] that matches"},
    {"provider_source_selection_rate", Form::rate, kSources},
    {"readyq_pool_name", Form::text, kInner},
    {"refresh_interval", Form::time, "files are read again at a reload"},
    {"refresh_strategy", Form::text, "files are read again at a reload"},
    {"remember_broken_tls", Form::time,
     "TLS that is broken is remembered for 5 to 40 minutes, and then tried again"},
    {"rustls_cipher_suites", Form::list, kCipher},
    {"skip_hosts", Form::list, "[delivery] prohibited_hosts holds for all destinations"},
    {"smtp_auth_plain_password", Form::text, kLogin},
    {"smtp_auth_plain_username", Form::text, kLogin},
    {"source_selection_rate", Form::rate, kSources},
    {"system_shutdown_timeout", Form::time, "the end waits as docs/operating.md says"},
    {"tls_certificate", Form::text, "a certificate of our own belongs to a [[route]]"},
    {"tls_prefer_openssl", Form::flag, "OpenSSL is what is used", "true"},
    {"tls_private_key", Form::text, "a certificate of our own belongs to a [[route]]"},
    {"try_next_host_on_transport_error", Form::flag,
     "the next host is tried when a connection cannot be opened", "true"},
    {"use_lmtp", Form::flag, "LMTP is not spoken", "false"},
    {"xclient", Form::flag, "XCLIENT is not sent", "false"},
});

bool is_rate(const TomlValue& value) {
    return value.kind == Kind::text && parse_throttle(value.text).has_value();
}

bool is_limit(const TomlValue& value) {
    if (value.kind == Kind::integer) return value.integer > 0;
    if (value.kind != Kind::text) return false;
    const std::string_view text = without_local(value.text);
    return !text.empty() && text.find_first_not_of("0123456789,_") == std::string_view::npos;
}

bool is_time(const TomlValue& value) {
    return (value.kind == Kind::integer && value.integer >= 0) ||
           (value.kind == Kind::text && core::parse_duration(value.text).has_value());
}

bool all(const TomlValue& table, bool (*fits)(const TomlValue&)) {
    return table.kind == Kind::table &&
           std::ranges::all_of(table.members,
                               [fits](const TomlMember& each) { return fits(each.value); });
}

}  // namespace

std::string_view KumoOption::complaint(const TomlValue& value) const {
    const auto unless = [](bool fits, std::string_view expected) {
        return fits ? std::string_view() : expected;
    };
    switch (form) {
        case Form::number:
            return unless(value.kind == Kind::integer && value.integer >= 0, "an integer");
        case Form::limit:
            return unless(is_limit(value), "an integer, or \"local:N\"");
        case Form::flag:
            return unless(value.kind == Kind::boolean, "true or false");
        case Form::text:
            // KumoMTA takes tables too, for keys in a vault and for policies with details.
            return unless(
                value.kind == Kind::text || value.kind == Kind::table || value.kind == Kind::array,
                "a string");
        case Form::time:
            return unless(is_time(value), "a time such as \"5m\"");
        case Form::rate:
            return unless(is_rate(value), "a rate in quotes such as \"100/s\"");
        case Form::list:
            return unless(value.kind == Kind::array, "a list");
        case Form::limits:
            return unless(all(value, is_limit), "a table of names and limits");
        case Form::rates:
            return unless(all(value, is_rate), "a table of names and rates");
    }
    return {};
}

bool KumoOption::is_same(const TomlValue& value) const {
    return !same.empty() && value.kind == Kind::boolean && value.boolean == (same == "true");
}

std::span<const KumoOption> kumo_options() {
    return kOptions;
}

const KumoOption* find_kumo_option(std::string_view name) {
    const auto found = std::ranges::find(kOptions, name, &KumoOption::name);
    return found == kOptions.end() ? nullptr : &*found;
}

}  // namespace relay
