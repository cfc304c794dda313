// ShapingTable: what one table of the shaping files says, and where: of ["default"], a domain, a
// provider, or an egress source below one of these. What a table does not say comes from the tables
// below it (relay/shaping/policy.h). Filled by ShapingReader; immutable afterwards. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/shaping/automation.h"
#include "relay/shaping/limits.h"
#include "relay/shaping/provider.h"

namespace relay {

struct ShapingOption;

// The egress source of a node that has no others.
inline constexpr std::string_view kDefaultSource = "default";

inline constexpr std::size_t kMostNameOctets = 80;  // of a provider or a source

// Of providers, sources and pools: they are labels, and parts of keys.
inline bool is_shaping_name(std::string_view text) {
    return !text.empty() && text.size() <= kMostNameOctets &&
           std::ranges::none_of(text, [](unsigned char c) { return c < ' ' || c == 127; });
}

// An option that a table states, and where.
struct StatedOption {
    const ShapingOption* option = nullptr;
    std::size_t file = 0;  // of ShapingPolicy::files()
    int line = 0;
    std::function<void(ShapingLimits&)> set{};
};

using StatedOptions = std::vector<StatedOption>;  // in order: a later one wins

inline void apply(const StatedOptions& stated, ShapingLimits& limits) {
    for (const StatedOption& each : stated)
        each.set(limits);
}

struct ShapingTable {
    struct Source {
        std::string name;
        StatedOptions stated;
    };

    std::size_t file = 0;  // the last text that has it
    int line = 0;          // where it begins there; 0: no text has it
    StatedOptions stated;
    std::vector<Source> sources;
    std::vector<AutomationRule> automation;
    bool mx_rollup = false;  // of a domain: its table holds for the whole site

    const StatedOptions* of_source(std::string_view name) const {
        const auto found = std::ranges::find(sources, name, &Source::name);
        return found == sources.end() ? nullptr : &found->stated;
    }
};

struct ShapingProvider : ShapingTable {
    std::string name;
    std::vector<ProviderMatch> match;
};

}  // namespace relay
