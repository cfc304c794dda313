// named_time(): the first time to come that a text names: "in 5 min", "for 900 seconds", "after 1
// hour and 30 minutes", "00:30:00", "PT15M", "300 seconds remaining", "until 2026-11-30T12:00:00Z".
// A time counts where a word of when stands before it (in, after, for, wait, ...) or after it
// (later, remaining, ...), so that "in transit since 3 days" does not. English, German, French,
// Italian, Spanish, Dutch, Russian and Chinese. Pure, linear in the text. Limit: numbers of at most
// kMaxTimeDigits digits; longer ones name no time.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "core/base/time.h"

namespace relay {

inline constexpr std::size_t kMaxTimeDigits = 9;

// text: in lower case. A time of day that has passed is no time to come.
std::optional<core::Duration> named_time(std::string_view text, core::WallTime now);

}  // namespace relay
