#include "relay/shaping/throttle.h"

#include <charconv>
#include <cstdint>

#include "core/base/ascii.h"

namespace relay {
namespace {

constexpr std::string_view kBurst = "max_burst=";
constexpr std::int64_t kMostPeriods = 1000;  // of a period: "1/1000d"

bool is_number(std::string_view text) {
    return !text.empty() && text.size() <= 9 &&
           text.find_first_not_of("0123456789") == std::string_view::npos && text != "0";
}

}  // namespace

core::Result<Throttle> parse_throttle(std::string_view text) {
    std::string_view rate = without_local(text);
    Throttle throttle;
    const std::size_t slash = rate.find('/');
    const std::size_t comma = slash == std::string_view::npos ? slash : rate.find(',', slash);
    if (comma != std::string_view::npos) {
        const std::string_view more = core::trim(rate.substr(comma + 1));
        if (!more.starts_with(kBurst) || !is_number(more.substr(kBurst.size()))) {
            return core::failure("\"" + std::string(text) +
                                 "\" may have \",max_burst=N\" after the period, and nothing else");
        }
        throttle.has_burst = true;
        rate = rate.substr(0, comma);
    }
    std::int64_t periods = 1;
    std::string plain(rate);
    if (slash != std::string_view::npos) {
        const std::string_view period = core::trim(rate.substr(slash + 1));
        const std::size_t unit = period.find_first_not_of("0123456789");
        if (unit != 0 && unit != std::string_view::npos) {
            const char* const end = period.data() + unit;
            const auto [stop, error] = std::from_chars(period.data(), end, periods);
            if (error != std::errc{} || stop != end || periods < 1 || periods > kMostPeriods) {
                return core::failure("\"" + std::string(text) +
                                     "\" must have 1 to 1000 periods after the slash");
            }
            plain = std::string(rate.substr(0, slash + 1)) + std::string(period.substr(unit));
        }
    }
    auto parsed = core::parse_rate(plain);
    if (!parsed) return std::unexpected(parsed.error());
    throttle.rate = *parsed;
    throttle.rate.period *= periods;
    return throttle;
}

std::string write_throttle(const core::Rate& rate) {
    const std::string period = core::write_duration(rate.period);
    const bool one = period.size() == 2 && period.front() == '1';
    return std::to_string(rate.count) + "/" + (one ? period.substr(1) : period);
}

}  // namespace relay
