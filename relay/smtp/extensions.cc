#include "relay/smtp/extensions.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/ascii.h"

namespace relay {

namespace {

// RFC 9422 section 3: a number of one to six digits, not zero.
bool read_limit(std::string_view text, std::uint32_t& out) {
    if (text.empty() || text.size() > 6) return false;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size() && out > 0;
}

bool is_limit_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return core::is_digit(c) || core::is_alpha(c) || c == '-';
    });
}

// A mistake anywhere makes the whole line void; names that are not known here say nothing.
void read_limits(std::string_view text, Extensions& into) {
    Extensions read;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
        const std::string_view item = text.substr(0, end);
        text = core::trim(text.substr(end));
        const std::size_t equals = std::min(item.find('='), item.size());
        const std::string_view name = item.substr(0, equals);
        const std::string_view value = item.substr(std::min(equals + 1, item.size()));
        const bool printable =
            std::ranges::all_of(value, [](char c) { return c > ' ' && c < 0x7f && c != ';'; });
        if (!is_limit_name(name) || !printable || (equals < item.size() && value.empty())) return;
        std::uint32_t* known = core::equals_ignoring_case(name, "MAILMAX")   ? &read.mail_max
                               : core::equals_ignoring_case(name, "RCPTMAX") ? &read.rcpt_max
                               : core::equals_ignoring_case(name, "RCPTDOMAINMAX")
                                   ? &read.rcpt_domain_max
                                   : nullptr;
        if (known != nullptr && !read_limit(value, *known)) return;
    }
    into.mail_max = read.mail_max;
    into.rcpt_max = read.rcpt_max;
    into.rcpt_domain_max = read.rcpt_domain_max;
}

// Only what can be used here: a server's list is as long as it likes.
void read_mechanisms(std::string_view text, std::string& into) {
    constexpr std::string_view kKnown[] = {"SCRAM-SHA-256", "PLAIN", "LOGIN"};
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
        for (const std::string_view known : kKnown) {
            if (!core::equals_ignoring_case(text.substr(0, end), known) || into.contains(known))
                continue;
            into.append(into.empty() ? "" : " ").append(known);
        }
        text = core::trim(text.substr(end));
    }
}

}  // namespace

Extensions Extensions::read(std::string_view text) {
    Extensions found;
    bool first = true;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (!std::exchange(first, false)) found.read_line(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return found;
}

void Extensions::read_line(std::string_view line) {
    line = core::trim(line);
    // "AUTH=LOGIN" is what servers said to clients from before RFC 2554.
    const std::size_t space = std::min(line.find_first_of(" =\t"), line.size());
    const std::string_view keyword = line.substr(0, space);
    const std::string_view value = core::trim(line.substr(std::min(space + 1, line.size())));
    const auto is = [&](std::string_view word) {
        return core::equals_ignoring_case(keyword, word);
    };
    if (is("PIPELINING")) pipelining = true;
    if (is("CHUNKING")) chunking = true;
    if (is("8BITMIME")) eight_bit = true;
    if (is("SMTPUTF8")) utf8 = true;
    if (is("ENHANCEDSTATUSCODES")) enhanced_codes = true;
    if (is("DSN")) dsn = true;
    if (is("REQUIRETLS")) require_tls = true;
    if (is("STARTTLS")) starttls = true;
    if (is("AUTH")) read_mechanisms(value, auth);
    if (is("LIMITS")) read_limits(value, *this);
    if (is("DELIVERBY")) {
        deliver_by = true;
        std::from_chars(value.data(), value.data() + value.size(), least_by_time);
    }
    if (is("SIZE")) {
        size = true;
        std::from_chars(value.data(), value.data() + value.size(), size_limit);
    }
}

}  // namespace relay
