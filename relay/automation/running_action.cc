#include "relay/automation/running_action.h"

#include <algorithm>
#include <utility>

namespace relay {

namespace {

bool is_stricter(core::Rate one, core::Rate other) {
    return static_cast<unsigned __int128>(one.count) *
               static_cast<std::uint64_t>(other.period.count()) <
           static_cast<unsigned __int128>(other.count) *
               static_cast<std::uint64_t>(one.period.count());
}

template <typename Number>
void take_number(Number& into, Number given, Number set) {
    if (set == given) return;
    into = into == given ? set : std::min(into, set);
}

void take_rate(core::Rate& into, core::Rate given, core::Rate set) {
    if (set == given) return;
    if (into == given || is_stricter(set, into)) into = set;
}

// What the option makes of the limits that were given, beside what others made of them.
void set_option(const RunningAction& action, const ShapingLimits& given, ShapingLimits& limits) {
    ShapingLimits alone = given;
    action.set(alone);
    const ShapingLimits before = limits;
    action.set(limits);
    limits.connection_limit = before.connection_limit;
    limits.max_deliveries_per_connection = before.max_deliveries_per_connection;
    limits.max_message_rate = before.max_message_rate;
    limits.max_connection_rate = before.max_connection_rate;
    take_number(limits.connection_limit, given.connection_limit, alone.connection_limit);
    take_number(limits.max_deliveries_per_connection, given.max_deliveries_per_connection,
                alone.max_deliveries_per_connection);
    take_rate(limits.max_message_rate, given.max_message_rate, alone.max_message_rate);
    take_rate(limits.max_connection_rate, given.max_connection_rate, alone.max_connection_rate);
}

template <typename Number>
Number part_of(Number whole, double level) {
    const auto part = static_cast<Number>(static_cast<double>(whole) * level);
    return std::max<Number>(part, 1);
}

void reduce(ShapingLimits& limits, double level) {
    limits.connection_limit = part_of(limits.connection_limit, level);
    limits.max_message_rate.count = part_of(limits.max_message_rate.count, level);
    if (limits.provider_connection_limit > 0)
        limits.provider_connection_limit = part_of(limits.provider_connection_limit, level);
    if (limits.provider_max_message_rate) {
        auto& count = limits.provider_max_message_rate->count;
        count = part_of(count, level);
    }
}

}  // namespace

std::string ActionScope::key() const {
    return source + (provider.empty() ? " site " + site : " provider " + provider);
}

std::string site_of(const PathKey& path) {
    std::string name = path.site.table.empty() ? std::string() : path.site.table + "!";
    name += path.site.hosts;
    if (!path.site.route.empty()) name += "/" + path.site.route;
    return name;
}

bool RunningAction::is_of_path() const {
    return verb == AutomationVerb::suspend || verb == AutomationVerb::set_config ||
           verb == AutomationVerb::set_domain_config || verb == AutomationVerb::reduce;
}

ActionSet::ActionSet(std::vector<RunningAction> all) : all_(std::move(all)) {
    for (std::size_t i = 0; i < all_.size(); ++i) {
        if (all_[i].is_of_path()) by_scope_[all_[i].scope.key()].push_back(i);
    }
}

bool ActionSet::concerns(std::string_view source, std::string_view provider,
                         std::string_view site) const {
    if (by_scope_.empty()) return false;
    const std::string name(source);
    return by_scope_.contains(ActionScope{name, {}, std::string(site)}.key()) ||
           (!provider.empty() &&
            by_scope_.contains(ActionScope{name, std::string(provider), {}}.key()));
}

ActionSet::Effect ActionSet::apply(std::string_view source, std::string_view provider,
                                   std::string_view site, ShapingLimits& limits) const {
    Effect effect;
    if (by_scope_.empty()) return effect;
    const ShapingLimits given = limits;
    const auto apply_scope = [&](const ActionScope& scope) {
        const auto found = by_scope_.find(scope.key());
        if (found == by_scope_.end()) return;
        effect.any = true;
        for (const std::size_t index : found->second) {
            const RunningAction& action = all_[index];
            if (action.verb == AutomationVerb::suspend) effect.suspended = true;
            if (action.set) set_option(action, given, limits);
        }
        for (const std::size_t index : found->second) {
            if (all_[index].verb == AutomationVerb::reduce) reduce(limits, all_[index].level);
        }
    };
    apply_scope({std::string(source), {}, std::string(site)});
    // What its provider's paths share is no matter of one site.
    limits.provider_connection_limit = given.provider_connection_limit;
    limits.provider_max_message_rate = given.provider_max_message_rate;
    if (!provider.empty()) apply_scope({std::string(source), std::string(provider), {}});
    return effect;
}

}  // namespace relay
