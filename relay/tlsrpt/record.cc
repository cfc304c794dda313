#include "relay/tlsrpt/record.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/blanks.h"
#include "relay/message/address.h"

namespace relay {

namespace {

constexpr std::string_view kRecordStart = "v=TLSRPTv1;";
constexpr std::size_t kMostKeyOctets = 32;

// Up to the separator, which is taken too.
std::string_view take_until(std::string_view& text, char separator) {
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return item;
}

// tlsrpt-ext-name.
bool is_key(std::string_view key) {
    if (key.empty() || key.size() > kMostKeyOctets || !core::is_alnum(key.front())) return false;
    return std::ranges::all_of(
        key, [](char c) { return core::is_alnum(c) || c == '_' || c == '-' || c == '.'; });
}

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 32 && c < 127; });
}

bool is_label(std::string_view label) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') {
        return false;
    }
    return std::ranges::all_of(label, [](char c) { return core::is_alnum(c) || c == '-'; });
}

// A name of at least two labels, the last of which is no number: it is no address.
bool is_name(std::string_view host) {
    if (host.empty() || host.size() > 253) return false;
    std::size_t labels = 0;
    std::string_view label;
    for (std::string_view rest = host; !rest.empty(); ++labels) {
        label = take_until(rest, '.');
        if (!is_label(label)) return false;
    }
    return labels > 1 && host.back() != '.' && !std::ranges::all_of(label, core::is_digit);
}

int hex_digit(char c) {
    if (core::is_digit(c)) return c - '0';
    const char lower = core::ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    while (!text.empty()) {
        if (text.front() != '%') {
            decoded += text.front();
            text.remove_prefix(1);
            continue;
        }
        if (text.size() < 3 || hex_digit(text[1]) < 0 || hex_digit(text[2]) < 0) {
            return std::nullopt;
        }
        decoded += static_cast<char>(hex_digit(text[1]) * 16 + hex_digit(text[2]));
        text.remove_prefix(3);
    }
    return decoded;
}

// tlsrpt-rua, without its name.
void add_places(std::string_view value, std::vector<ReportPlace>& places) {
    while (!value.empty()) {
        const std::string_view uri = core::trim_blanks(take_until(value, ','));
        ReportPlace place;
        if (auto mailbox = parse_mailto(uri)) {
            place.mailbox = std::move(*mailbox);
        } else if (auto url = parse_https_url(uri)) {
            place.url = std::move(*url);
        } else {
            continue;
        }
        const bool known = std::ranges::find(places, place) != places.end();
        if (!known && places.size() < kMostPlaces) places.push_back(std::move(place));
    }
}

// None: a field is malformed.
std::optional<std::vector<ReportPlace>> places_of(std::string_view record) {
    std::vector<ReportPlace> places;
    record.remove_prefix(kRecordStart.size());
    while (true) {
        const bool last = !record.contains(';');
        const std::string_view field = core::trim_blanks(take_until(record, ';'));
        if (field.empty()) {
            if (last) return places;
            return std::nullopt;
        }
        const std::size_t equals = field.find('=');
        if (equals == std::string_view::npos) return std::nullopt;
        const std::string_view key = field.substr(0, equals);
        const std::string_view value = field.substr(equals + 1);
        if (!is_key(key) || value.empty()) return std::nullopt;
        if (key == "rua") {
            add_places(value, places);
        } else if (!is_printable(value)) {
            return std::nullopt;
        }
        if (last) return places;
    }
}

}  // namespace

std::string HttpsUrl::to_string() const {
    return "https://" + host + (port == 443 ? "" : ":" + std::to_string(port)) + path;
}

std::string ReportPlace::to_string() const {
    return by_mail() ? "mailto:" + mailbox : url.to_string();
}

std::optional<HttpsUrl> parse_https_url(std::string_view text) {
    constexpr std::string_view kScheme = "https://";
    if (text.size() > kMostUrl || !core::starts_with_ignoring_case(text, kScheme)) {
        return std::nullopt;
    }
    text.remove_prefix(kScheme.size());
    text = text.substr(0, text.find('#'));
    if (!is_printable(text)) return std::nullopt;
    const std::size_t end = std::min(text.find_first_of("/?"), text.size());
    std::string_view authority = text.substr(0, end);
    HttpsUrl url;
    url.path = text.substr(end);
    if (!url.path.starts_with('/')) url.path.insert(0, 1, '/');
    if (const std::size_t colon = authority.find(':'); colon != std::string_view::npos) {
        const std::string_view port = authority.substr(colon + 1);
        const char* const stop = port.data() + port.size();
        const auto read = std::from_chars(port.data(), stop, url.port);
        if (read.ec != std::errc{} || read.ptr != stop || url.port == 0) return std::nullopt;
        authority = authority.substr(0, colon);
    }
    url.host = core::to_lower(authority);
    if (!is_name(url.host)) return std::nullopt;
    return url;
}

std::optional<std::string> parse_mailto(std::string_view text) {
    constexpr std::string_view kScheme = "mailto:";
    if (!core::starts_with_ignoring_case(text, kScheme)) return std::nullopt;
    text.remove_prefix(kScheme.size());
    auto mailbox = percent_decoded(text.substr(0, text.find('?')));
    if (!mailbox) return std::nullopt;
    const auto parsed = parse_mailbox(*mailbox);
    if (!parsed || parsed->utf8 || parsed->literal) return std::nullopt;
    return mailbox;
}

std::vector<ReportPlace> report_places(std::span<const std::string> records) {
    const std::string* ours = nullptr;
    for (const std::string& record : records) {
        if (!record.starts_with(kRecordStart)) continue;
        if (ours != nullptr) return {};
        ours = &record;
    }
    if (ours == nullptr) return {};
    return places_of(*ours).value_or(std::vector<ReportPlace>{});
}

}  // namespace relay
