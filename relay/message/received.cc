#include "relay/message/received.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "core/base/ascii.h"
#include "relay/message/idna.h"

namespace relay {

namespace {

void append_two_digits(std::string& text, unsigned value) {
    text += static_cast<char>('0' + value / 10 % 10);
    text += static_cast<char>('0' + value % 10);
}

// A domain, an address literal, or one of the less orderly names that clients have.
bool is_plain_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return core::is_alnum(c) || std::string_view("-._:[]").contains(c);
    });
}

void append_literal(std::string& text, const core::IpAddress& peer) {
    text += peer.is_v6() ? "[IPv6:" : "[";
    text += peer.to_string();
    text += ']';
}

void append_from(std::string& text, std::string_view name, const core::IpAddress& peer) {
    if (is_plain_name(name)) {
        text += name;
        return;
    }
    const auto domain = has_utf8(name) && !name.contains(' ') ? to_a_labels(name) : std::nullopt;
    if (domain) {
        text += *domain;
    } else {
        append_literal(text, peer);
    }
}

void append_for(std::string& text, std::string_view recipient) {
    const auto at = recipient.rfind('@');
    if (at == std::string_view::npos || has_utf8(recipient.substr(0, at))) return;
    const std::string_view domain = recipient.substr(at + 1);
    const auto a_labels = has_utf8(domain) ? to_a_labels(domain) : std::string(domain);
    if (!a_labels) return;
    text += "\r\n\tfor <";
    text += recipient.substr(0, at + 1);
    text += *a_labels;
    text += '>';
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
    append_from(text, fields.from, peer);
    text += " (";
    append_literal(text, peer);
    text += ")\r\n\tby ";
    text += fields.by;
    text += " with ";
    text += fields.with;
    text += " id ";
    text += fields.id;
    append_for(text, fields.recipient);
    text += ";\r\n\t";
    append_date_time(text, fields.time);
    text += "\r\n";
    return text;
}

}  // namespace relay
