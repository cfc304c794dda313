#include "relay/egress/source.h"

#include <algorithm>

namespace relay {

const std::vector<core::IpAddress>& EgressSource::seen() const {
    if (ha_proxy_server) return ha_proxy_addresses;
    return socks5_proxy_server ? socks5_proxy_addresses : addresses;
}

bool EgressSource::reaches(const core::IpAddress& peer) const {
    return peer.is_v4() ? has_v4() : has_v6();
}

bool EgressSource::has_v4() const {
    return seen().empty() || std::ranges::any_of(seen(), &core::IpAddress::is_v4);
}

bool EgressSource::has_v6() const {
    return seen().empty() || std::ranges::any_of(seen(), &core::IpAddress::is_v6);
}

std::optional<core::IpAddress> EgressSource::for_peer(const std::vector<core::IpAddress>& addresses,
                                                      const core::IpAddress& peer) {
    const auto fits = [&peer](const core::IpAddress& one) { return one.is_v4() == peer.is_v4(); };
    const auto found = std::ranges::find_if(addresses, fits);
    if (found == addresses.end()) return std::nullopt;
    return *found;
}

}  // namespace relay
