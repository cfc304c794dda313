#include "relay/config/route.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/ascii.h"

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
    from.problem_with(
        "hosts", item.line,
        "= \"" + item.text.substr(0, 80) +
            "\" is not a service: write \"srv:_submissions._tcp.example.com\"; its SRV "
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
                      "= \"" + item.text.substr(0, 80) +
                          "\" is not a host: write \"name\", \"name:port\", \"address:port\", "
                          "\"[ipv6]:port\" or \"srv:_service._tcp.name\"");
    return std::nullopt;
}

void read_security(Section& from, RouteConfig& route) {
    TlsPolicy policy{};
    if (from.choice<TlsPolicy>("tls", policy,
                               {{"none", TlsPolicy::none},
                                {"opportunistic", TlsPolicy::opportunistic},
                                {"encrypt", TlsPolicy::encrypt},
                                {"verify", TlsPolicy::verify},
                                {"implicit", TlsPolicy::implicit}})) {
        route.tls = policy;
    }
    Smarthost smarthost;
    if (from.text("tls_name", smarthost.tls_name) && !is_host_name(smarthost.tls_name)) {
        from.problem_with("tls_name", from.take("tls_name")->line,
                          "must be the name of a host such as \"smtp.example.com\"");
    }
    from.file("tls_ca_file", smarthost.ca_file);
    from.file("certificate", smarthost.certificate_file);
    from.file("private_key", smarthost.key_file);
    from.file("password_file", smarthost.password_file);
    from.text("username", smarthost.username);
    from.flag("auth_insecure", smarthost.auth_insecure);
    if (smarthost.certificate_file.empty() != smarthost.key_file.empty()) {
        from.problem(from.line(), "[[route]] certificate and private_key go together");
    }
    if (smarthost.username.empty() != smarthost.password_file.empty()) {
        from.problem(from.line(), "[[route]] username and password_file go together");
    }
    if (smarthost.username.size() > kMostPassword ||
        smarthost.username.find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos) {
        from.problem(from.line(), "[[route]] username must be one line");
    }
    if (smarthost.is_set()) route.smarthost = std::make_shared<const Smarthost>(smarthost);
}

}  // namespace

RouteConfig read_route(Section& from) {
    RouteConfig route;
    route.line = from.line();
    const bool named = from.text("domain", route.domain);
    const std::string written = route.domain;
    route.domain = core::to_lower(route.domain);
    const std::string_view name = route.domain.starts_with("*.")
                                      ? std::string_view(route.domain).substr(2)
                                      : std::string_view(route.domain);
    if (!named) {
        if (from.take("domain") == nullptr) {
            from.problem(from.line(),
                         "[[route]] needs a domain: \"example.com\", \"*.example.com\" or \"*\"");
        }
    } else if (route.domain != "*" && !is_host_name(name, true)) {
        const bool utf8 = std::ranges::any_of(name, [](char c) { return (c & 0x80) != 0; });
        from.problem_with("domain", from.take("domain")->line,
                          "= \"" + written.substr(0, 80) + "\" is not a domain: write " +
                              (utf8 ? "its A-labels, such as \"xn--bcher-kva.example\""
                                    : "\"example.com\", \"*.example.com\" or \"*\""));
    }
    std::vector<TextAtLine> hosts;
    if (!from.texts("hosts", hosts) || hosts.empty()) {
        from.problem(from.line(), "[[route]] needs hosts such as [\"127.0.0.1:2600\"]");
    }
    for (const TextAtLine& item : hosts) {
        if (auto hop = next_hop(from, item)) route.hosts.push_back(std::move(*hop));
    }
    read_security(from, route);
    from.finish();
    return route;
}

}  // namespace relay
