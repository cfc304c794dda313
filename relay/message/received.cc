#include "relay/message/received.h"

#include <array>
#include <chrono>

namespace relay {

namespace {

void append_two_digits(std::string& text, unsigned value) {
    text += static_cast<char>('0' + value / 10 % 10);
    text += static_cast<char>('0' + value % 10);
}

}  // namespace

void append_date_time(std::string& text, core::WallTime time) {
    constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                       "Thu", "Fri", "Sat"};
    constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
    const auto year = static_cast<unsigned>(static_cast<int>(date.year()));

    text += kDays[std::chrono::weekday(day).c_encoding()];
    text += ", ";
    append_two_digits(text, static_cast<unsigned>(date.day()));
    text += ' ';
    text += kMonths[static_cast<unsigned>(date.month()) - 1];
    text += ' ';
    append_two_digits(text, year / 100);
    append_two_digits(text, year % 100);
    text += ' ';
    append_two_digits(text, static_cast<unsigned>(clock.hours().count()));
    text += ':';
    append_two_digits(text, static_cast<unsigned>(clock.minutes().count()));
    text += ':';
    append_two_digits(text, static_cast<unsigned>(clock.seconds().count()));
    text += " +0000";
}

std::string received_field(const ReceivedFields& fields) {
    const core::IpAddress peer = fields.peer.unmapped();
    std::string text;
    text.reserve(192 + fields.from.size() + fields.by.size() + fields.recipient.size());
    text += "Received: from ";
    text += fields.from;
    text += peer.is_v6() ? " ([IPv6:" : " ([";
    text += peer.to_string();
    text += "])\r\n\tby ";
    text += fields.by;
    text += " with ";
    text += fields.with;
    text += " id ";
    text += fields.id;
    if (!fields.recipient.empty()) {
        text += "\r\n\tfor <";
        text += fields.recipient;
        text += '>';
    }
    text += ";\r\n\t";
    append_date_time(text, fields.time);
    text += "\r\n";
    return text;
}

}  // namespace relay
