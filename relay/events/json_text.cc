#include "relay/events/json_text.h"

#include <array>
#include <chrono>

namespace relay {
namespace {

void append_digits(std::string& out, unsigned value, unsigned width) {
    std::array<char, 10> digits;
    for (unsigned i = width; i-- > 0; value /= 10)
        digits[i] = static_cast<char>('0' + value % 10);
    out.append(digits.data(), width);
}

}  // namespace

void append_rfc3339_string(std::string& out, core::WallTime time) {
    using namespace std::chrono;
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(floor<microseconds>(time - day));
    out += '"';
    append_digits(out, static_cast<unsigned>(int{date.year()}), 4);
    out += '-';
    append_digits(out, unsigned{date.month()}, 2);
    out += '-';
    append_digits(out, unsigned{date.day()}, 2);
    out += 'T';
    append_digits(out, static_cast<unsigned>(clock.hours().count()), 2);
    out += ':';
    append_digits(out, static_cast<unsigned>(clock.minutes().count()), 2);
    out += ':';
    append_digits(out, static_cast<unsigned>(clock.seconds().count()), 2);
    out += '.';
    append_digits(out, static_cast<unsigned>(clock.subseconds().count()), 6);
    out += "Z\"";
}

}  // namespace relay
