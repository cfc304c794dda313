// What `posthaste check` looks at beyond the text of the configuration: whether everything it names
// is there and right, on this machine, as this user. Nothing is made or changed. Used by `serve`
// too, so that a start fails for the same reasons and with the same sentences as a check.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "relay/automation/reply_rules.h"
#include "relay/bounce/rules.h"
#include "relay/config/config.h"
#include "relay/shaping/policy.h"
#include "relay/shaping/problem.h"

namespace relay {

// Immutable once it is in force; the shards share it. A reload makes another one.
struct CheckedConfig {
    Config config;
    ShapingPolicy shaping;
    EgressPlan egress{};
    std::shared_ptr<const BounceRules> bounce;
    Problems warnings;
    std::optional<core::TlsRoots> tls_roots;         // none: there is no bundle on this machine
    std::uint64_t generation = 0;                    // counts the reloads before it
    std::shared_ptr<const ReplyRules> automation{};  // of the shaping files; null: none
    // Those of config.tenants, by name.
    std::shared_ptr<const TenantPolicies> tenants = TenantPolicies::none();

    // What a destination's hosts must offer: the route knows its hosts best, then the domain's
    // table.
    TlsPolicy tls_of(const ShapingLimits& limits, const RouteConfig* route) const;
    // Of MX hosts.
    std::uint16_t port_of(const ShapingLimits& limits) const {
        return limits.smtp_port != 0 ? limits.smtp_port : config.delivery.port;
    }
};

// Loads the file, then checks: shaping files, bounce rules, certificates, keys and passwords are
// there and parse, data_dir and events.log_dir are writable directories or can be made. All
// problems found at once, each with file and line, or what serve needs. hostname: see
// load_config().
std::expected<CheckedConfig, Problems> check_config(const std::filesystem::path& file,
                                                    const std::string& hostname = {});

// The same for a reload, to take the place of one that is in force: it keeps what must not change
// while the process lives (numbers of destinations), and roots where the machine's bundle has gone.
std::expected<std::shared_ptr<const CheckedConfig>, Problems> recheck_config(
    const std::filesystem::path& file, const CheckedConfig& in_force);

// Empty when the directory can be written into, or made below one that can.
std::string directory_complaint(const std::filesystem::path& directory);

// Empty when c-ares can read it, which opens it itself and would wait at a FIFO.
inline constexpr const char* kResolvConf = "/etc/resolv.conf";
std::string resolver_complaint(const std::filesystem::path& file);

}  // namespace relay
