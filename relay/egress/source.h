// EgressSource: where mail leaves from: addresses that are bound, the name in EHLO, and a proxy to
// go through, if any. An EgressPool is a set of sources with weights. Values of the configuration,
// immutable and shared by all shards. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/address.h"

namespace relay {

struct EgressSource {
    std::string name;
    std::vector<core::IpAddress> addresses;  // one of a family at most; none: the machine's choice
    std::string ehlo;                        // empty: [node] hostname
    // A proxy makes the connection, from one of these addresses. At most one of the two kinds.
    std::optional<core::SocketAddress> ha_proxy_server{};
    std::vector<core::IpAddress> ha_proxy_addresses;
    std::optional<core::SocketAddress> socks5_proxy_server{};
    std::vector<core::IpAddress> socks5_proxy_addresses;  // none: the proxy's choice

    bool proxied() const { return ha_proxy_server || socks5_proxy_server; }
    // The addresses that receivers see; none: not known here.
    const std::vector<core::IpAddress>& seen() const;
    // It has an address of the family of the peer, or needs none.
    bool reaches(const core::IpAddress& peer) const;
    bool has_v4() const;
    bool has_v6() const;
    // The one that goes with the peer; none: no address is bound.
    static std::optional<core::IpAddress> for_peer(const std::vector<core::IpAddress>& addresses,
                                                   const core::IpAddress& peer);
    bool operator==(const EgressSource&) const = default;
};

struct PoolSource {
    std::string name;
    std::uint32_t weight = 1;  // 0: never
    int line = 0;              // where the file has it
};

struct EgressPool {
    std::string name;
    std::vector<PoolSource> sources;
};

inline constexpr std::size_t kMostEgressSources = 4096;
inline constexpr std::size_t kMostEgressPools = 1024;
inline constexpr std::size_t kMostSourcesOfPool = 256;
inline constexpr std::uint32_t kMostWeight = 1'000'000;

}  // namespace relay
