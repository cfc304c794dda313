// AutomationRule: what a shaping file wants done when a reply matches, as values: KumoMTA's
// [[…automation]] tables, and one action of our own. relay/automation compiles them and acts on
// them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"
#include "core/base/toml.h"
#include "core/base/units.h"

namespace relay {

struct ShapingOption;

enum class AutomationVerb : std::uint8_t {
    suspend,
    suspend_tenant,
    suspend_campaign,
    set_config,         // an option for a time, for the path
    set_domain_config,  // and for the domain alone
    bounce,
    bounce_tenant,
    bounce_campaign,
    reduce,  // less of the path for a time, step by step back: not KumoMTA's
};
inline constexpr std::size_t kAutomationVerbs = 9;
std::string_view to_string(AutomationVerb verb);  // "suspend_tenant"

struct AutomationAction {
    AutomationVerb verb = AutomationVerb::suspend;
    const ShapingOption* option = nullptr;  // of set_config; null: one that has no effect here
    core::TomlValue value{};
    double factor = 0.5;  // of reduce
};

struct AutomationRule {
    std::vector<std::string> patterns;  // a reply matches one of them
    std::vector<AutomationAction> actions;
    std::optional<core::Rate> threshold{};  // so many matches in a time; none: each counts
    core::Duration duration{};
    bool match_internal = false;  // replies of our own too
    std::size_t file = 0;         // of ShapingPolicy::files()
    int line = 0;
};

inline constexpr std::size_t kMostAutomationPatterns = 10'000;  // of all files

// Sentences about one [[…automation]] table, each with its line.
struct AutomationComplaint {
    int line = 0;
    std::string sentence;
};

struct ReadAutomation {
    AutomationRule rule;
    std::vector<AutomationComplaint> wrong;
    std::vector<AutomationComplaint> warnings;
};

ReadAutomation read_automation(const core::TomlValue& table);

}  // namespace relay
