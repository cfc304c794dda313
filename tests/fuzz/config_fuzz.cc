// Any text as a configuration and as a shaping file. What is accepted must hold what the headers
// promise, and differ from itself in nothing; what is refused must say why, at a line that the text
// has.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/assert.h"
#include "relay/config/changes.h"
#include "relay/config/parse.h"
#include "relay/shaping/policy.h"

namespace {

void check(const relay::Problems& problems, std::string_view text) {
    const auto lines = std::ranges::count(text, '\n') + 1;
    PH_ASSERT(!problems.empty());
    for (const relay::Problem& each : problems) {
        PH_ASSERT(!each.sentence.empty());
        PH_ASSERT(each.line >= 0 && each.line <= lines);
    }
}

void check(const relay::ShapingLimits& limits) {
    PH_ASSERT(limits.connection_limit > 0 && limits.max_deliveries_per_connection > 0);
    PH_ASSERT(limits.max_message_rate.count > 0 && limits.max_connection_rate.count > 0);
    PH_ASSERT(limits.max_message_rate.interval().count() > 0);
    for (const relay::TimeLimitOption& option : relay::kTimeLimitOptions) {
        const core::Duration time = limits.time_limits().*option.member;
        PH_ASSERT(time >= relay::kShortestTimeLimit && time <= relay::kLongestTimeLimit);
    }
}

// What its own rules name belongs to it, or to a later provider; each limit is written, and of the
// options that it states each has a place.
void check(const relay::ShapingPolicy& policy, const relay::ShapingProvider& provider) {
    const relay::ShapingScope scope{.table = {}, .provider = provider.name};
    check(policy.limits_for(scope));
    for (const relay::ProviderMatch& each : provider.match) {
        const std::vector<std::string> hosts{"x" + each.name};
        if (each.kind == relay::MatchKind::mx_suffix)
            PH_ASSERT(!policy.provider_of({}, hosts).empty());
    }
    for (const relay::EffectiveLimit& each : policy.explain(scope))
        PH_ASSERT(!each.value.empty());
    for (const relay::AutomationRule& rule : provider.automation)
        PH_ASSERT(!rule.patterns.empty() && !rule.actions.empty() && rule.duration.count() > 0);
}

void check(const relay::Config& config) {
    PH_ASSERT(!config.listeners.empty());
    for (const relay::ListenerConfig& each : config.listeners) {
        PH_ASSERT(!each.addresses.empty() && each.max_recipients > 0 && each.max_connections > 0);
        for (const core::IpNetwork& network : each.allow)
            PH_ASSERT(network.prefix_length() >= 7);
    }
    for (const relay::RouteConfig& each : config.routes) {
        PH_ASSERT(!each.domain.empty() && !each.hosts.empty());
        for (const relay::NextHop& hop : each.hosts)
            PH_ASSERT((hop.port > 0) != hop.service && !hop.host.empty());
    }
    PH_ASSERT(!config.retry.intervals.empty());
    PH_ASSERT(std::ranges::all_of(config.retry.intervals,
                                  [](core::Duration each) { return each.count() > 0; }));
    check(config.shaping.defaults);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    relay::CheckedConfig checked{.config = relay::default_config(),
                                 .shaping = relay::ShapingPolicy(),
                                 .bounce = nullptr,
                                 .warnings = {},
                                 .tls_roots = {}};
    if (const auto config = relay::parse_config(text, "f"); config) {
        check(*config);
        checked.config = *config;
    } else {
        check(config.error(), text);
    }
    if (const auto shaping = relay::ShapingPolicy::parse({{"f", text}}, {}); shaping) {
        const relay::ShapingPolicy& policy = shaping->policy;
        for (const std::string& name : policy.destination_names())
            check(policy.limits_for(name));
        for (const relay::ShapingProvider& each : policy.providers())
            check(policy, each);
        checked.shaping = shaping->policy;
    } else {
        check(shaping.error(), text);
    }
    relay::each_change(checked, checked, [](const relay::Change&) { PH_ASSERT(false); });
    return 0;
}
