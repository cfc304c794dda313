// Quantities as they are written in configuration: "50MiB", "30s", "100/s". Pure.
// Durations: ms, s, m, h, d, and long forms ("5 minutes"). Sizes: B, KiB, MiB, GiB. Rates: "N/s",
// "N/m", "N/h", "N/d"; KumoMTA's long forms ("100/min", "10/sec", "5/hour", "1/day", "1,000/s") are
// read too.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace core {

struct Rate {
    std::uint64_t count = 0;  // per period; never zero once parsed
    std::chrono::nanoseconds period{std::chrono::seconds{1}};
    // Time between two events at this rate.
    std::chrono::nanoseconds interval() const { return period / static_cast<std::int64_t>(count); }
    bool operator==(const Rate&) const = default;
};

Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
Result<std::uint64_t> parse_size(std::string_view text);  // octets
Result<Rate> parse_rate(std::string_view text);

// The same quantities as text that parses to the same value: "5d", "64MiB", "100/s". The largest
// unit that divides the value without a rest is used.
std::string write_duration(std::chrono::nanoseconds duration);  // a whole number of milliseconds
std::string write_size(std::uint64_t octets);
std::string write_rate(const Rate& rate);

}  // namespace core
