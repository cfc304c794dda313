// TLSRPT records (RFC 8460 section 3): where a domain wants the reports about TLS towards it. Pure:
// the TXT records of _smtp._tls.<domain> in, each with its strings joined, addresses out.
//
// Records that do not begin with "v=TLSRPTv1;" do not count; of the others there must be exactly
// one, whose fields are all name=value. Unknown fields and addresses of other kinds than mailto:
// and https: are passed over. Limits: kMostPlaces (further ones are passed over), kMostUrl.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

inline constexpr std::size_t kMostPlaces = 8;
inline constexpr std::size_t kMostUrl = 2000;

// As far as we go: a name, no address, no user, no fragment.
struct HttpsUrl {
    std::string host;  // lower case
    std::uint16_t port = 443;
    std::string path;  // with its slash, and the query

    std::string to_string() const;
    bool operator==(const HttpsUrl&) const = default;
};

std::optional<HttpsUrl> parse_https_url(std::string_view text);
// "mailto:user@example.com", percent-encoded, whatever follows a question mark.
std::optional<std::string> parse_mailto(std::string_view text);

struct ReportPlace {
    std::string mailbox;  // empty: the URL
    HttpsUrl url;

    bool by_mail() const { return !mailbox.empty(); }
    std::string to_string() const;
    bool operator==(const ReportPlace&) const = default;
};

// Empty: the domain wants no reports, or none in a way that we know.
std::vector<ReportPlace> report_places(std::span<const std::string> records);

}  // namespace relay
