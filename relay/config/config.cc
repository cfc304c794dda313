#include "relay/config/config.h"

#include <algorithm>
#include <iterator>

#include "core/base/ascii.h"
#include "core/base/assert.h"

namespace relay {
namespace {

core::IpNetwork network(std::string_view text) {
    const auto parsed = core::IpNetwork::parse(text);
    PH_ASSERT(parsed.has_value());  // only ever called with constants of ours
    return *parsed;
}

bool any_contains(const std::vector<core::IpNetwork>& networks, const core::IpAddress& address) {
    return std::ranges::any_of(networks,
                               [&](const core::IpNetwork& each) { return each.contains(address); });
}

}  // namespace

std::uint64_t SizeOrShare::of(std::uint64_t whole) const {
    if (percent == 0) return octets;
    return whole / 100 * percent + whole % 100 * percent / 100;
}

bool ListenerConfig::allows(const core::IpAddress& client) const {
    return any_contains(allow, client);
}

bool DeliveryConfig::prohibits(const core::IpAddress& host) const {
    return any_contains(prohibited_hosts, host);
}

bool RouteConfig::matches(std::string_view recipient_domain) const {
    if (domain == "*") return true;
    if (recipient_domain.ends_with('.')) recipient_domain.remove_suffix(1);
    if (!domain.starts_with("*.")) return core::equals_ignoring_case(domain, recipient_domain);
    const std::string_view suffix = std::string_view(domain).substr(1);  // ".example.com"
    return recipient_domain.size() > suffix.size() &&
           core::equals_ignoring_case(
               suffix, recipient_domain.substr(recipient_domain.size() - suffix.size()));
}

const RouteConfig* Config::route_for(std::string_view recipient_domain) const {
    const auto found = std::ranges::find_if(
        routes, [&](const RouteConfig& route) { return route.matches(recipient_domain); });
    return found == routes.end() ? nullptr : &*found;
}

std::vector<core::IpNetwork> default_allow() {
    return {network("127.0.0.0/8"), network("::1/128")};
}

std::vector<core::IpAddress> own_addresses(const Config& config,
                                           const std::vector<core::IpAddress>& interfaces) {
    const core::IpNetwork loopback = network("127.0.0.0/8");
    const core::IpNetwork loopback6 = network("::1/128");
    const core::IpNetwork any6 = network("::/128");
    std::vector<core::IpAddress> own;
    for (const ListenerConfig& listener : config.listeners) {
        if (listener.protocol != ListenerProtocol::smtp) continue;
        for (const core::SocketAddress& address : listener.addresses) {
            const bool all = address.ip == core::IpAddress{} || any6.contains(address.ip);
            if (!all) {
                const core::IpAddress plain = address.ip.unmapped();
                if (loopback.contains(plain) || loopback6.contains(plain)) continue;
                own.push_back(plain);
            } else if (address.port == config.delivery.port) {
                std::ranges::copy_if(interfaces, std::back_inserter(own), [&](const auto& one) {
                    return one.is_v4() == address.ip.is_v4();
                });
            }
        }
    }
    std::ranges::sort(own);
    const auto repeated = std::ranges::unique(own);
    own.erase(repeated.begin(), repeated.end());
    return own;
}

Config default_config() {
    using std::chrono::hours;
    using std::chrono::minutes;
    Config config;
    config.delivery.prohibited_hosts = {network("127.0.0.0/8"), network("0.0.0.0/32"),
                                        network("::1/128"), network("::/128")};
    config.retry.intervals = {minutes(1), minutes(5), minutes(15), minutes(30),
                              hours(1),   hours(2),   hours(4)};
    return config;
}

}  // namespace relay
