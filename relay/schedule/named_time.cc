#include "relay/schedule/named_time.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "core/base/ascii.h"

namespace relay {
namespace {

using Seconds = std::int64_t;
constexpr Seconds kMinute = 60;
constexpr Seconds kHour = 60 * kMinute;
constexpr Seconds kDay = 24 * kHour;

struct Unit {
    std::string_view word;
    Seconds seconds;
    bool prefix = true;  // of a longer word too
};

// Longer words before those that they begin with.
constexpr std::array<Unit, 44> kUnits = {{{"sec", 1},
                                          {"sek", 1},
                                          {"seg", 1},
                                          {"s", 1, false},
                                          {"min", kMinute},
                                          {"mn", kMinute, false},
                                          {"m", kMinute, false},
                                          {"hour", kHour},
                                          {"hr", kHour},
                                          {"h", kHour, false},
                                          {"stunde", kHour},
                                          {"std", kHour},
                                          {"heure", kHour},
                                          {"hora", kHour},
                                          {"ora", kHour, false},
                                          {"ore", kHour, false},
                                          {"uur", kHour, false},
                                          {"uren", kHour, false},
                                          {"godzin", kHour},
                                          {"day", kDay},
                                          {"d", kDay, false},
                                          {"tag", kDay},
                                          {"jour", kDay},
                                          {"giorn", kDay},
                                          {"día", kDay},
                                          {"dia", kDay},
                                          {"dag", kDay},
                                          {"week", 7 * kDay},
                                          {"woche", 7 * kDay},
                                          {"semaine", 7 * kDay},
                                          {"секунд", 1},
                                          {"сек", 1},
                                          {"минут", kMinute},
                                          {"мин", kMinute},
                                          {"час", kHour},
                                          {"дн", kDay},
                                          {"сут", kDay},
                                          {"秒", 1},
                                          {"分钟", kMinute},
                                          {"分鐘", kMinute},
                                          {"分", kMinute},
                                          {"小时", kHour},
                                          {"小時", kHour},
                                          {"天", kDay}}};

constexpr std::array<std::pair<std::string_view, Seconds>, 16> kNumberWords = {{{"an ", 1},
                                                                                {"a ", 1},
                                                                                {"one ", 1},
                                                                                {"two ", 2},
                                                                                {"three ", 3},
                                                                                {"four ", 4},
                                                                                {"five ", 5},
                                                                                {"six ", 6},
                                                                                {"ten ", 10},
                                                                                {"fifteen ", 15},
                                                                                {"twenty ", 20},
                                                                                {"thirty ", 30},
                                                                                {"einer ", 1},
                                                                                {"einem ", 1},
                                                                                {"une ", 1},
                                                                                {"un'", 1}}};

bool is_letter(char c) {
    return core::is_alpha(c) || static_cast<unsigned char>(c) >= 0x80;
}

// Reads a text from the front to the back.
class Reader {
  public:
    explicit Reader(std::string_view rest) : rest_(rest) {}

    std::string_view rest() const { return rest_; }
    bool take(std::string_view word) {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }
    void take_blanks() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n' ||
                                  rest_.front() == '\t' || rest_.front() == '~'))
            rest_.remove_prefix(1);
    }
    std::optional<Seconds> number() {
        std::size_t length = 0;
        Seconds value = 0;
        while (length < rest_.size() && core::is_digit(rest_[length])) {
            if (length < kMaxTimeDigits) value = value * 10 + (rest_[length] - '0');
            ++length;
        }
        if (length == 0 || length > kMaxTimeDigits) return std::nullopt;
        rest_.remove_prefix(length);
        return value;
    }
    std::optional<Seconds> unit() {
        for (const Unit& each : kUnits) {
            if (!rest_.starts_with(each.word)) continue;
            const std::string_view behind = rest_.substr(each.word.size());
            const bool ends = behind.empty() || !is_letter(behind.front());
            if (!ends && !each.prefix) continue;
            rest_ = behind;
            // The rest of the word; what comes after a number of Chinese is no more of it.
            while (!rest_.empty() && core::is_alpha(rest_.front()))
                rest_.remove_prefix(1);
            if (rest_.starts_with("(s)")) rest_.remove_prefix(3);
            return each.seconds;
        }
        return std::nullopt;
    }

  private:
    std::string_view rest_;
};

// "00:30:00", and "05:00" as minutes and seconds.
std::optional<Seconds> clock_time(Reader& reader) {
    Reader ahead = reader;
    const auto first = ahead.number();
    if (!first || !ahead.take(":")) return std::nullopt;
    const auto second = ahead.number();
    if (!second || *second > 59) return std::nullopt;
    Seconds value = *first * kMinute + *second;
    if (ahead.take(":")) {
        const auto third = ahead.number();
        if (!third || *third > 59) return std::nullopt;
        value = *first * kHour + *second * kMinute + *third;
    }
    reader = ahead;
    return value;
}

// "pt15m", "pt1h30m", "p1d" (ISO 8601; the text is in lower case).
std::optional<Seconds> iso_time(Reader& reader) {
    Reader ahead = reader;
    if (!ahead.take("p")) return std::nullopt;
    Seconds value = 0;
    bool some = false;
    if (const auto days = ahead.number()) {
        if (!ahead.take("d")) return std::nullopt;
        value = *days * kDay;
        some = true;
    }
    if (ahead.take("t")) {
        while (const auto number = ahead.number()) {
            const Seconds unit = ahead.take("h")   ? kHour
                                 : ahead.take("m") ? kMinute
                                 : ahead.take("s") ? Seconds{1}
                                                   : Seconds{0};
            if (unit == 0) return std::nullopt;
            value += *number * unit;
            some = true;
        }
    }
    if (!some) return std::nullopt;
    reader = ahead;
    return value;
}

std::optional<Seconds> amount(Reader& reader) {
    if (const auto number = reader.number()) {
        if (reader.take(".")) reader.number();  // "299.5"
        return number;
    }
    for (const auto& [word, value] : kNumberWords) {
        if (reader.take(word)) return value;
    }
    return std::nullopt;
}

// "5 min", "5-10 minutes", "1 hour 30 minutes", "1h30m", "half an hour".
std::optional<Seconds> with_units(Reader& reader) {
    Seconds total = 0;
    bool some = false;
    Reader ahead = reader;
    if (ahead.take("half an hour")) {
        reader = ahead;
        return kHour / 2;
    }
    for (int parts = 0; parts < 4; ++parts) {
        auto number = amount(ahead);
        if (!number) break;
        ahead.take_blanks();
        Reader range = ahead;
        const bool ranges = range.take("-") || range.take("to ") || range.take("bis ") ||
                            range.take("à ") || range.take("до ");
        range.take_blanks();
        if (const auto upper = ranges ? range.number() : std::nullopt) {
            number = upper;
            ahead = range;
            ahead.take_blanks();
        }
        ahead.take("-");  // "5-minute"
        const auto unit = ahead.unit();
        if (!unit) break;
        total += *number * *unit;
        some = true;
        reader = ahead;
        ahead.take_blanks();
        ahead.take(",");
        ahead.take_blanks();
        ahead.take("and ");
        ahead.take("und ");
        ahead.take("et ");
    }
    return some ? std::optional(total) : std::nullopt;
}

// "2026-11-30t12:00:00z", "2026-11-30 12:00"; without a zone it is UTC.
std::optional<Seconds> date_ahead(Reader& reader, core::WallTime now) {
    Reader ahead = reader;
    const auto year = ahead.number();
    if (!year || *year < 2000 || *year > 9999 || !ahead.take("-")) return std::nullopt;
    const auto month = ahead.number();
    if (!month || !ahead.take("-")) return std::nullopt;
    const auto day = ahead.number();
    if (!day || (!ahead.take("t") && !ahead.take(" "))) return std::nullopt;
    const auto hour = ahead.number();
    if (!hour || *hour > 23 || !ahead.take(":")) return std::nullopt;
    const auto minute = ahead.number();
    if (!minute || *minute > 59) return std::nullopt;
    Seconds second = 0;
    if (ahead.take(":")) second = ahead.number().value_or(0);
    if (ahead.take(".")) ahead.number();
    ahead.take_blanks();
    Seconds offset = 0;
    const bool east = ahead.take("+");
    if (east || ahead.take("-")) {
        const Seconds zone = ahead.number().value_or(0);
        const bool colon = ahead.take(":");
        offset = colon ? zone * kHour + ahead.number().value_or(0) * kMinute
                       : zone / 100 * kHour + zone % 100 * kMinute;
        if (!east) offset = -offset;
    }
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    const auto when = std::chrono::sys_days(date) +
                      std::chrono::seconds{*hour * kHour + *minute * kMinute + second - offset};
    const auto left = std::chrono::ceil<std::chrono::seconds>(when - now).count();
    if (left <= 0) return std::nullopt;
    reader = ahead;
    return left;
}

constexpr std::string_view kBefore[] = {
    "in",      "after",      "for",        "wait",       "within",  "least",   "another",
    "further", "about",      "approx",     "until",      "before",  "time",    "delay",
    "retry",   "again",      "remaining",  "left",       "next",    "every",   "nach",
    "für",     "dans",       "après",      "apres",      "pendant", "tra",     "fra",
    "dopo",    "per",        "dentro de",  "en",         "por",     "durante", "over",
    "na",      "через",      "после",      "за",         "请",      "等待",    "在",
    "period",  "greylisted", "graylisted", "greylisting"};
constexpr std::string_view kBehind[] = {"later", "remaining", "left",   "before", "until",
                                        "wait",  "warten",    "später", "后",     "後"};

bool ends_with_word(std::string_view text, std::string_view word) {
    if (!text.ends_with(word)) return false;
    if (static_cast<unsigned char>(word.front()) >= 0x80) return true;
    return text.size() == word.size() || !is_letter(text[text.size() - word.size() - 1]);
}

// Whether what stands around a time says that it is one to wait.
bool is_asked_for(std::string_view before, std::string_view behind) {
    constexpr std::string_view kMarks = " \t\n:=~(<\"',";
    const std::size_t end = before.find_last_not_of(kMarks);
    before = end == std::string_view::npos ? std::string_view{} : before.substr(0, end + 1);
    behind = core::trim(behind);
    if (std::ranges::any_of(kBefore,
                            [&](std::string_view word) { return ends_with_word(before, word); })) {
        return !behind.starts_with("ago") && !behind.starts_with("old");
    }
    return std::ranges::any_of(kBehind,
                               [&](std::string_view word) { return behind.starts_with(word); });
}

// A number alone is seconds, where the word before it leaves no doubt: "retry-after: 120".
bool names_seconds(std::string_view before) {
    const std::string_view said = core::trim(before);
    return said.ends_with("retry-after:") || said.ends_with("retry-after") ||
           said.ends_with("retry after") || said.ends_with("again in") ||
           said.ends_with("again after") || said.ends_with("retry in");
}

std::optional<Seconds> time_at(std::string_view text, std::size_t at, core::WallTime now) {
    Reader reader(text.substr(at));
    const std::string_view before = text.substr(0, at);
    auto value = date_ahead(reader, now);
    if (!value) value = clock_time(reader);
    if (!value) value = iso_time(reader);
    if (!value) value = with_units(reader);
    if (value) {
        return is_asked_for(before, reader.rest()) ? value : std::nullopt;
    }
    const auto number = reader.number();
    const std::string_view rest = reader.rest();
    const bool alone = rest.empty() || std::string_view(" ,;)\n").contains(rest.front()) ||
                       (rest.front() == '.' && (rest.size() == 1 || rest[1] == ' '));
    return number && alone && names_seconds(before) ? number : std::nullopt;
}

}  // namespace

std::optional<core::Duration> named_time(std::string_view text, core::WallTime now) {
    bool in_word = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        const bool starts = core::is_digit(c) || (core::is_alpha(c) && !in_word);
        if (starts && !(in_word && core::is_digit(c) && core::is_digit(text[at - 1]))) {
            const auto value = time_at(text, at, now);
            if (value) return std::chrono::seconds{std::min(*value, 366 * kDay)};
        }
        in_word = core::is_alnum(c) || c == '.';
    }
    return std::nullopt;
}

}  // namespace relay
