// The options of shaping files, each with how it is read and what it means. Those of KumoMTA's that
// this version does not have are in kumo_options.h; a name of neither list is a mistake of whoever
// wrote it. A new option is a member of ShapingLimits and an entry of the list here;
// docs/configuration.md follows (tests/unit/config/keys_page_test.cc). Pure values that live for
// ever.
#pragma once

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
    bool of_provider = false;                           // only [provider."NAME"] may state it
};

// Those of time limits among them, which come last in the order of kTimeLimitOptions.
std::span<const ShapingOption> shaping_options();
const ShapingOption* find_shaping_option(std::string_view name);  // nullptr: there is none

}  // namespace relay
