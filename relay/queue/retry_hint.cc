#include "relay/queue/retry_hint.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "core/base/ascii.h"

namespace relay {
namespace {

bool speaks_of_greylisting(std::string_view text) {
    for (std::size_t at = text.find("gr"); at != std::string_view::npos;
         at = text.find("gr", at + 1)) {
        const std::string_view rest = text.substr(at + 2);
        if (!rest.starts_with("ey") && !rest.starts_with("ay")) continue;
        const std::string_view word = rest.substr(2);
        if (word.starts_with("list") || word.starts_with("-list") || word.starts_with(" list")) {
            return true;
        }
    }
    return false;
}

// The number at the front of the text, with its unit; zero when it is no time.
core::Duration time_at(std::string_view text) {
    std::int64_t number = 0;
    std::size_t at = 0;
    while (at < text.size() && at < 6 && core::is_digit(text[at]))
        number = number * 10 + (text[at++] - '0');
    if (at == 0 || (at < text.size() && core::is_digit(text[at]))) return {};
    if (at < text.size() && text[at] == ' ') ++at;
    const std::string_view unit = text.substr(at);
    if (unit.starts_with("sec") || unit == "s" || unit.starts_with("s.") ||
        unit.starts_with("s ")) {
        return std::chrono::seconds{number};
    }
    if (unit.starts_with("min")) return std::chrono::minutes{number};
    return {};
}

// "try again in 300 seconds", "retry in 5 minutes", "retry after 120 sec".
core::Duration time_named(std::string_view text) {
    for (const std::string_view word : {std::string_view("in "), std::string_view("after ")}) {
        for (std::size_t at = text.find(word); at != std::string_view::npos;
             at = text.find(word, at + 1)) {
            const core::Duration named = time_at(text.substr(at + word.size()));
            if (named > core::Duration{}) return named;
        }
    }
    return {};
}

}  // namespace

core::Duration asked_pause(const Disposition& disposition) {
    if (disposition.local || (disposition.code != 450 && disposition.code != 451)) return {};
    const std::string text = core::to_lower(disposition.text);
    const bool greylisting = speaks_of_greylisting(text);
    const bool retry = text.contains("again") || text.contains("retry");
    if (!greylisting && !retry) return {};
    const core::Duration named = time_named(text);
    if (!greylisting && named == core::Duration{}) return {};
    return std::clamp(named, kShortestPause, kLongestPause);
}

}  // namespace relay
