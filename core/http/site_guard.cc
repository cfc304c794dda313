#include "core/http/site_guard.h"

#include <algorithm>

#include "core/base/address.h"
#include "core/base/ascii.h"

namespace core {

namespace {

constexpr std::size_t kShownHost = 100;  // octets of a caller's text in our answer

struct Authority {
    std::string_view host;  // an IPv6 address with its brackets
    std::string_view port;  // empty: the scheme's
};

Authority split(std::string_view text) {
    const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
    if (bracket == std::string_view::npos) return {text, {}};
    const std::size_t colon = text.find(':', bracket);
    if (colon == std::string_view::npos) return {text, {}};
    return {text.substr(0, colon), text.substr(colon + 1)};
}

std::string plain(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    return to_lower(host);
}

bool is_address(std::string_view host) {
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    const auto address = IpAddress::parse(host);
    return address && address->is_v6() == bracketed;
}

// The authority of "http://host:port"; nothing for "null" and what is no origin.
std::optional<std::string_view> origin_of(std::string_view text) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (starts_with_ignoring_case(text, scheme)) return text.substr(scheme.size());
    }
    return std::nullopt;
}

}  // namespace

SiteGuard::SiteGuard(const std::vector<std::string>& names) {
    for (const std::string& name : names)
        names_.push_back(plain(name));
}

bool SiteGuard::is_ours(std::string_view host) const {
    return std::ranges::find(names_, plain(host)) != names_.end();
}

std::optional<HttpResponse> SiteGuard::check(const HttpRequest& head) const {
    const std::string_view authority = trim(head.authority);
    const Authority target = split(authority);
    if (!authority.empty() && !is_address(target.host) && !is_ours(target.host) &&
        plain(target.host) != "localhost") {
        return error_response(421,
                              "the host \"" + std::string(target.host.substr(0, kShownHost)) +
                                  "\" is not a name of this relay: use its address or hostname, "
                                  "or add the name to `hosts` of the listener",
                              "Host");
    }
    for (const HttpField& field : head.fields) {
        if (!equals_ignoring_case(field.name, "Origin")) continue;
        const auto origin = origin_of(trim(field.value));
        const Authority site = split(origin.value_or(""));
        const bool same = origin && !target.host.empty() && site.port == target.port &&
                          plain(site.host) == plain(target.host);
        if (same || (origin && is_ours(site.host))) continue;
        return error_response(403,
                              "a page of another site, " + field.value.substr(0, kShownHost) +
                                  ", may not use this relay",
                              "Origin");
    }
    return std::nullopt;
}

}  // namespace core
