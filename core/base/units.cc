#include "core/base/units.h"

#include <array>
#include <limits>
#include <string>
#include <utility>

#include "core/base/ascii.h"

namespace core {
namespace {

// A century: far beyond any sensible setting, and sums of a few of them still fit into 63 bits.
constexpr std::uint64_t kLongestNanoseconds = 36'525ULL * 86'400 * 1'000'000'000;
constexpr std::uint64_t kHighestCount = 1'000'000'000;  // keeps a rate's interval at 1 ns or more

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::array<Unit, 19> kDurationUnits{{
    {"ms", 1'000'000},          {"s", kSecond},
    {"sec", kSecond},           {"secs", kSecond},
    {"second", kSecond},        {"seconds", kSecond},
    {"m", 60 * kSecond},        {"min", 60 * kSecond},
    {"mins", 60 * kSecond},     {"minute", 60 * kSecond},
    {"minutes", 60 * kSecond},  {"h", 3600 * kSecond},
    {"hr", 3600 * kSecond},     {"hrs", 3600 * kSecond},
    {"hour", 3600 * kSecond},   {"hours", 3600 * kSecond},
    {"d", 86'400 * kSecond},    {"day", 86'400 * kSecond},
    {"days", 86'400 * kSecond},
}};

constexpr std::array<Unit, 4> kSizeUnits{
    {{"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}}};

constexpr std::array<Unit, 11> kRatePeriods{{{"s", 1},
                                             {"sec", 1},
                                             {"second", 1},
                                             {"m", 60},
                                             {"min", 60},
                                             {"minute", 60},
                                             {"h", 3600},
                                             {"hr", 3600},
                                             {"hour", 3600},
                                             {"d", 86'400},
                                             {"day", 86'400}}};

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) {
    for (const Unit& unit : units) {
        if (unit.name == name) return &unit;
    }
    return nullptr;
}

std::size_t count_digits(std::string_view text) {
    std::size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits]))
        ++digits;
    return digits;
}

// Decimal digits only; false when empty, malformed or above limit.
bool parse_number(std::string_view digits, std::uint64_t limit, std::uint64_t& value) {
    if (digits.empty()) return false;
    value = 0;
    for (const char c : digits) {
        if (!is_digit(c)) return false;
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (value > (limit - digit) / 10) return false;
        value = value * 10 + digit;
    }
    return true;
}

std::string quoted(std::string_view text) {
    return "\"" + std::string(text.substr(0, 64)) + "\"";
}

template <std::size_t N>
Result<std::uint64_t> parse_quantity(std::string_view text, const std::array<Unit, N>& units,
                                     std::uint64_t limit, std::string_view expected) {
    const std::string_view trimmed = trim(text);
    const std::size_t digits = count_digits(trimmed);
    const Unit* unit = find_unit(units, trim(trimmed.substr(digits)));
    if (digits == 0 || unit == nullptr) {
        return failure(quoted(text) + " is not " + std::string(expected));
    }
    std::uint64_t number = 0;
    if (!parse_number(trimmed.substr(0, digits), limit / unit->factor, number)) {
        return failure(quoted(text) + " is too large");
    }
    return number * unit->factor;
}

}  // namespace

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    const auto value =
        parse_quantity(text, kDurationUnits, kLongestNanoseconds,
                       "a time such as \"500ms\", \"30s\", \"5m\", \"1h\" or \"7d\"");
    if (!value) return failure(value.error());
    return std::chrono::nanoseconds(static_cast<std::int64_t>(*value));
}

Result<std::uint64_t> parse_size(std::string_view text) {
    return parse_quantity(text, kSizeUnits, std::numeric_limits<std::int64_t>::max(),
                          "a size such as \"512B\", \"64KiB\", \"50MiB\" or \"2GiB\"");
}

Result<Rate> parse_rate(std::string_view text) {
    const std::string_view trimmed = trim(text);
    const std::size_t slash = trimmed.find('/');
    if (slash == std::string_view::npos) {
        return failure(quoted(text) + " is not a rate such as \"100/s\", \"100/m\" or \"5000/h\"");
    }
    std::string digits;  // without the separators of thousands
    for (const char c : trim(trimmed.substr(0, slash))) {
        if (c == ',' || c == '_') {
            if (digits.empty()) return failure(quoted(text) + " does not begin with a number");
            continue;
        }
        digits.push_back(c);
    }
    const Unit* period = find_unit(kRatePeriods, trim(trimmed.substr(slash + 1)));
    if (period == nullptr) {
        return failure(quoted(text) + " has no known period: write /s, /m, /h or /d");
    }
    std::uint64_t count = 0;
    if (!parse_number(digits, kHighestCount, count)) {
        return failure(quoted(text) +
                       " needs a whole number from 1 to 1000000000 before the slash");
    }
    if (count == 0) return failure(quoted(text) + " allows nothing: the number must be 1 or more");
    return Rate{count, std::chrono::seconds(static_cast<std::int64_t>(period->factor))};
}

std::string write_duration(std::chrono::nanoseconds duration) {
    constexpr std::array<Unit, 5> kUnits{{{"d", 86'400 * kSecond},
                                          {"h", 3600 * kSecond},
                                          {"m", 60 * kSecond},
                                          {"s", kSecond},
                                          {"ms", 1'000'000}}};
    const auto value = static_cast<std::uint64_t>(duration.count());
    if (value == 0) return "0s";
    for (const Unit& unit : kUnits) {
        if (value % unit.factor == 0 || unit.name == "ms") {
            return std::to_string(value / unit.factor).append(unit.name);
        }
    }
    std::unreachable();
}

std::string write_size(std::uint64_t octets) {
    for (auto unit = kSizeUnits.rbegin(); unit != kSizeUnits.rend(); ++unit) {
        if (octets != 0 && octets % unit->factor == 0) {
            return std::to_string(octets / unit->factor).append(unit->name);
        }
    }
    return "0B";
}

std::string write_rate(const Rate& rate) {
    const std::string period = write_duration(rate.period);  // "1s", "1m", "1h" or "1d"
    return std::to_string(rate.count) + "/" + period.substr(1);
}

}  // namespace core
