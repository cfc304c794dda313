#include "relay/schedule/retry_hint.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/ascii.h"
#include "relay/schedule/named_time.h"

namespace relay {
namespace {

bool speaks_of_greylisting(std::string_view text) {
    for (std::size_t at = text.find("gr"); at != std::string_view::npos;
         at = text.find("gr", at + 1)) {
        const std::string_view rest = text.substr(at + 2);
        if (!rest.starts_with("ey") && !rest.starts_with("ay")) continue;
        const std::string_view word = rest.substr(2);
        if (word.starts_with("list") || word.starts_with("-list") || word.starts_with(" list") ||
            word.starts_with("_list")) {
            return true;
        }
    }
    return false;
}

// That somebody should come again, in the languages that receivers use.
bool speaks_of_another_try(std::string_view text) {
    constexpr std::string_view kWords[] = {
        "again",    "retry",    "retries", "retried",  "come back", "comeback", "wait",
        "later",    "resend",   "delayed", "deferred", "postpone",  "until",    "not before",
        "throttl",  "too many", "limit",   "erneut",   "wieder",    "warten",   "nochmal",
        "essaye",   "essayer",  "patient", "riprova",  "ritenta",   "attend",   "reintent",
        "espere",   "intente",  "opnieuw", "ponow",    "повтор",    "позже",    "через",
        "попробуй", "请",       "重试",    "稍后",     "再"};
    return std::ranges::any_of(kWords,
                               [text](std::string_view word) { return text.contains(word); });
}

}  // namespace

core::Duration asked_pause(const Disposition& disposition, core::WallTime now) {
    if (disposition.local || disposition.reply.code < 400) return {};
    const std::string text = core::to_lower(disposition.words());
    const bool greylisting = speaks_of_greylisting(text);
    if (!greylisting && !speaks_of_another_try(text)) return {};
    const std::optional<core::Duration> named = named_time(text, now);
    if (!named) return greylisting ? kGreylistPause : core::Duration{};
    return std::clamp(*named, core::Duration{}, kLongestPause);
}

}  // namespace relay
