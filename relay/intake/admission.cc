#include "relay/intake/admission.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"

namespace relay {

core::IpAddress client_network(const core::IpAddress& client) {
    const core::IpAddress plain = client.unmapped();
    if (plain.is_v4()) return plain;
    auto octets = plain.octets();
    std::fill(octets.begin() + 8, octets.end(), std::uint8_t{0});
    return core::IpAddress::v6(octets);
}

Admission::Admission(std::vector<core::IpNetwork> allow, std::size_t max_connections)
    : allow_(std::move(allow)),
      max_connections_(max_connections),
      client_share_(max_connections < kManyPlaces ? max_connections
                                                  : max_connections - max_connections / 10),
      stranger_places_(std::clamp<std::size_t>(max_connections / 10, 1, kStrangers)) {}

bool Admission::allows(const core::IpAddress& client) const {
    return std::ranges::any_of(
        allow_, [&client](const core::IpNetwork& network) { return network.contains(client); });
}

Admission::Entry Admission::enter(const core::IpAddress& client, bool replacing) {
    const bool stranger = !allows(client);
    const core::IpAddress network = client_network(client);
    const std::lock_guard lock(mutex_);
    Group& group = stranger ? strangers_ : clients_;
    const auto found = group.by_address.find(network);
    const std::size_t open = found == group.by_address.end() ? 0 : found->second;
    if (open >= (stranger ? kStrangersPerAddress : client_share_)) return Entry::full;
    if (stranger && group.open >= stranger_places_ && !replacing) return Entry::crowded;
    if (!stranger && group.open >= max_connections_) return Entry::full;
    ++group.open;
    ++group.by_address[network];
    return stranger ? Entry::stranger : Entry::client;
}

void Admission::leave(const core::IpAddress& client) {
    const bool stranger = !allows(client);
    const std::lock_guard lock(mutex_);
    Group& group = stranger ? strangers_ : clients_;
    const auto found = group.by_address.find(client_network(client));
    PH_ASSERT(group.open > 0 && found != group.by_address.end());
    --group.open;
    if (--found->second == 0) group.by_address.erase(found);
}

std::size_t Admission::connections() const {
    const std::lock_guard lock(mutex_);
    return clients_.open + strangers_.open;
}

}  // namespace relay
