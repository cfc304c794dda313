// Rates in KumoMTA's form: "[local:]N/[k]period[,max_burst=B]", e.g. "1,000/min" or "10/5m". What
// it means by local, not shared among nodes, is true of each rate here. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/units.h"

namespace relay {

struct Throttle {
    core::Rate rate;
    bool has_burst = false;
};

core::Result<Throttle> parse_throttle(std::string_view text);
// As text that parses to the same rate: "100/s", "10/5m".
std::string write_throttle(const core::Rate& rate);

// The text without KumoMTA's mark for a limit that nodes do not share.
constexpr std::string_view without_local(std::string_view text) {
    constexpr std::string_view kLocal = "local:";
    return text.starts_with(kLocal) ? text.substr(kLocal.size()) : text;
}

}  // namespace relay
