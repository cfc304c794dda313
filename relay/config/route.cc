#include "relay/config/route.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/ascii.h"
#include "relay/config/kinds.h"
#include "relay/config/schema.h"

namespace relay {
namespace {

// "srv:_submissions._tcp.example.org"; "srv:25" is a host that has this name.
bool is_service(std::string_view host) {
    constexpr std::string_view kPrefix = "srv:";
    return host.starts_with(kPrefix) &&
           host.find_first_not_of("0123456789", kPrefix.size()) != std::string_view::npos;
}

std::optional<NextHop> service(Section& from, const TextAtLine& item) {
    NextHop hop;
    hop.service = true;
    hop.port = 0;
    hop.host = core::to_lower(item.text.substr(item.text.find(':') + 1));
    if (hop.host.ends_with('.')) hop.host.pop_back();
    const std::size_t second = hop.host.find('.') + 1;  // 0: there is none
    const std::string_view rest = std::string_view(hop.host).substr(second);
    constexpr std::string_view kTcp = "_tcp.";
    if (hop.host.starts_with('_') && second > 2 && rest.starts_with(kTcp) &&
        is_host_name(hop.host, true) && is_host_name(rest.substr(kTcp.size()))) {
        return hop;
    }
    from.problem_with("hosts", item.line,
                      "= " + toml_text(item.text.substr(0, 80)) +
                          " is not a service: write \"srv:_submissions._tcp.example.com\"; its SRV "
                          "records say the ports");
    return std::nullopt;
}

std::optional<NextHop> next_hop(Section& from, const TextAtLine& item) {
    if (is_service(item.text)) return service(from, item);
    NextHop hop;
    if (const auto address = core::SocketAddress::parse(item.text, hop.port); address) {
        hop.host = address->ip.to_string();
        hop.port = address->port;
        hop.address = address->ip;
    } else {
        const std::size_t colon = item.text.find(':');
        hop.host = core::to_lower(item.text.substr(0, colon));
        if (hop.host.ends_with('.')) hop.host.pop_back();
        const bool numeric = hop.host.find_first_not_of("0123456789.") == std::string::npos;
        const auto port = colon == std::string::npos
                              ? core::SocketAddress{{}, hop.port}
                              : core::SocketAddress::parse("0.0.0.0" + item.text.substr(colon))
                                    .value_or(core::SocketAddress{});
        hop.port = port.port;
        if (numeric || !is_host_name(hop.host, true)) hop.port = 0;
    }
    if (hop.port != 0) return hop;
    from.problem_with("hosts", item.line,
                      "= " + toml_text(item.text.substr(0, 80)) +
                          " is not a host: write \"name\", \"name:port\", \"address:port\", "
                          "\"[ipv6]:port\" or \"srv:_service._tcp.name\"");
    return std::nullopt;
}

struct NextHops {
    static std::string type() { return "list of hosts"; }
    static bool read(Section& from, std::string_view key, std::vector<NextHop>& into) {
        std::vector<TextAtLine> hosts;
        if (!from.texts(key, hosts)) return false;
        for (const TextAtLine& item : hosts) {
            if (auto hop = next_hop(from, item)) into.push_back(std::move(*hop));
        }
        return true;
    }
    static std::string write(const std::vector<NextHop>& hops) {
        std::vector<std::string> texts;
        for (const NextHop& hop : hops) {
            const std::string port = ":" + std::to_string(hop.port);
            texts.push_back(hop.service   ? "srv:" + hop.host
                            : hop.address ? core::SocketAddress{*hop.address, hop.port}.to_string()
                                          : hop.host + port);
        }
        return toml_text(texts);
    }
};

std::string domain_complaint(std::string_view text) {
    const std::string_view name = text.starts_with("*.") ? text.substr(2) : text;
    if (text == "*" || is_host_name(name, true)) return "";
    const bool utf8 = std::ranges::any_of(name, [](char c) { return (c & 0x80) != 0; });
    return "= " + toml_text(text.substr(0, 80)) + " is not a domain: write " +
           (utf8 ? "its A-labels, such as \"xn--bcher-kva.example\""
                 : "\"example.com\", \"*.example.com\" or \"*\"");
}

std::string tls_name_complaint(std::string_view text) {
    return is_host_name(text) ? "" : "must be the name of a host such as \"smtp.example.com\"";
}

std::string username_complaint(std::string_view text) {
    const bool one_line = text.size() <= kMostPassword && !text.contains('\0') &&
                          !text.contains('\r') && !text.contains('\n');
    return one_line ? "" : "must be one line";
}

void check_pairs(Section& from, const Smarthost& smarthost) {
    if (smarthost.certificate_file.empty() != smarthost.key_file.empty()) {
        from.problem(from.line(), "[[route]] certificate and private_key go together");
    }
    const core::TomlValue* username = from.take("username");
    const bool refused =
        username != nullptr && !username->text.empty() && smarthost.username.empty();
    if (!refused && smarthost.username.empty() != smarthost.password_file.empty()) {
        from.problem(from.line(), "[[route]] username and password_file go together");
    }
}

}  // namespace

const Keys<RouteConfig>& route_keys() {
    using Route = RouteConfig;
    static const Keys<Route> kKeys{
        {"domain", &Route::domain, Text{domain_complaint, "domain"}, InForce::reload,
         "domains in UTF-8 as A-labels (`\"xn--bcher-kva.example\"`); `\"example.com\"`, "
         "`\"*.example.com\"` (every domain below it, not itself) or `\"*\"`",
         "required"},
        {"hosts", &Route::hosts, NextHops{}, InForce::reload,
         "tried in order: `\"host\"`, `\"host:port\"`, `\"ip:port\"`, `\"[ipv6]:port\"`; port 25 "
         "when left out. `\"srv:_submissions._tcp.example.com\"`: the hosts and ports of a "
         "service, from its SRV records ([dns.md](dns.md#services-of-a-route))",
         "required"},
        {"tls", &Route::tls,
         Words<TlsPolicy>{{{"none", TlsPolicy::none},
                           {"opportunistic", TlsPolicy::opportunistic},
                           {"encrypt", TlsPolicy::encrypt},
                           {"verify", TlsPolicy::verify},
                           {"implicit", TlsPolicy::implicit}}},
         InForce::reload,
         "as in `[delivery]`, or `\"implicit\"`: TLS from the first octet (RFC 8314), with a "
         "verified certificate. A domain's table in a shaping file does not change it",
         "as `[delivery]` says"},
    };
    return kKeys;
}

const Keys<Smarthost>& smarthost_keys() {
    static const Keys<Smarthost> kKeys{
        {"tls_name", &Smarthost::tls_name, Text{tls_name_complaint, "host name"}, InForce::reload,
         "the name that the certificate must have, and SNI; for hosts that are addresses",
         "the host"},
        {"tls_ca_file", &Smarthost::ca_file, File{}, InForce::reload,
         "PEM: whom to trust for these hosts", "as `[delivery]` says"},
        {"certificate", &Smarthost::certificate_file, File{}, InForce::reload,
         "PEM: our certificate (chain, leaf first), shown when a host asks; goes with "
         "`private_key`",
         "none"},
        {"private_key", &Smarthost::key_file, File{}, InForce::reload,
         "PEM: its key; must not be readable by everybody", "none"},
        {"username", &Smarthost::username, Text{username_complaint}, InForce::reload,
         "AUTH, by SCRAM-SHA-256, PLAIN or LOGIN; goes with `password_file`. A host that refuses "
         "it (535) keeps the mail in the queue and is logged as an error",
         "none"},
        {"password_file", &Smarthost::password_file, File{}, InForce::reload,
         "holds the password in one line; must not be readable by everybody", "none"},
        {"auth_insecure", &Smarthost::auth_insecure, Flag{}, InForce::reload,
         "`true`: tell the password (PLAIN, LOGIN) also to a host whose certificate was not "
         "verified"},
    };
    return kKeys;
}

RouteConfig read_route(Section& from) {
    RouteConfig route;
    route.line = from.line();
    if (from.take("domain") == nullptr) {
        from.problem(from.line(),
                     "[[route]] needs a domain: \"example.com\", \"*.example.com\" or \"*\"");
    }
    const core::TomlValue* hosts = from.take("hosts");
    if (hosts == nullptr || hosts->items.empty()) {
        from.problem(from.line(), "[[route]] needs hosts such as [\"127.0.0.1:2600\"]");
    }
    read_keys(from, route_keys(), route, route.lines);
    route.domain = core::to_lower(route.domain);
    Smarthost smarthost;
    read_keys(from, smarthost_keys(), smarthost, route.lines);
    check_pairs(from, smarthost);
    if (smarthost.is_set()) route.smarthost = std::make_shared<const Smarthost>(smarthost);
    from.finish();
    return route;
}

}  // namespace relay
