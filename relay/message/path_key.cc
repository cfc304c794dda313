#include "relay/message/path_key.h"

#include <functional>
#include <string_view>

namespace relay {

namespace {

// Every bit of the result depends on every part: tables use upper and lower bits.
std::uint64_t mix(std::uint64_t hash, std::uint64_t part) {
    hash = (hash ^ part) * 0x9e3779b97f4a7c15U;
    return hash ^ (hash >> 32);
}

std::uint64_t mix(std::uint64_t hash, std::string_view part) {
    return mix(hash, std::hash<std::string_view>{}(part));
}

}  // namespace

std::size_t PathKeyHash::operator()(const PathKey& key) const {
    const auto flags = static_cast<std::uint64_t>(key.tls.request) << 4 |
                       std::uint64_t{key.site.provider_shares} << 3 |
                       std::uint64_t{key.site.routed} << 2 |
                       std::uint64_t{key.tls.authenticated} << 1 | std::uint64_t{key.tls.sts};
    std::uint64_t hash = mix(static_cast<std::uint64_t>(key.source) << 8, flags);
    hash = mix(hash, key.site.hosts);
    hash = mix(hash, key.site.table);
    hash = mix(hash, key.site.provider);
    hash = mix(hash, key.site.route);
    hash = mix(hash, key.tls.bound);
    return mix(hash, key.tls.allowed);
}

std::size_t home_of(const PathKey& key, std::size_t shards) {
    if (!key.site.provider_shares) return PathKeyHash{}(key) % shards;
    return mix(static_cast<std::uint64_t>(key.source), key.site.provider) % shards;
}

}  // namespace relay
