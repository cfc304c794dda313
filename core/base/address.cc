#include "core/base/address.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>

#include "core/base/ascii.h"
#include "core/base/assert.h"

namespace core {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::string quoted(std::string_view text) {
    return "\"" + std::string(text.substr(0, 64)) + "\"";
}

// Digits only, without sign or surroundings.
bool parse_decimal(std::string_view text, int limit, int& value) {
    if (text.empty() || !std::ranges::all_of(text, is_digit)) return false;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && value <= limit;
}

Result<std::uint16_t> parse_port(std::string_view text, std::string_view whole) {
    int port = 0;
    if (!parse_decimal(text, 65535, port)) {
        return failure(quoted(whole) + " has no valid port: a number from 0 to 65535");
    }
    return static_cast<std::uint16_t>(port);
}

bool bit_set(const std::array<std::uint8_t, 16>& octets, int bit) {
    const auto index = static_cast<std::size_t>(bit / 8);
    return (octets[index] >> (7 - bit % 8) & 1) != 0;
}

}  // namespace

IpAddress IpAddress::v4(std::uint32_t host_order) {
    IpAddress address;
    for (std::size_t i = 0; i < 4; ++i) {
        address.octets_[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
    }
    return address;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& octets) {
    IpAddress address;
    address.octets_ = octets;
    address.v4_ = false;
    return address;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
    std::array<char, INET6_ADDRSTRLEN> terminated{};
    if (!text.empty() && text.size() < terminated.size() &&
        text.find('\0') == std::string_view::npos) {
        std::ranges::copy(text, terminated.begin());
        in_addr native4{};
        if (inet_pton(AF_INET, terminated.data(), &native4) == 1) {
            return v4(ntohl(native4.s_addr));
        }
        std::array<std::uint8_t, 16> octets{};
        if (inet_pton(AF_INET6, terminated.data(), octets.data()) == 1) return v6(octets);
    }
    return failure(quoted(text) + " is not an IP address");
}

IpAddress IpAddress::unmapped() const {
    if (v4_ || !std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), octets_.begin())) {
        return *this;
    }
    IpAddress inner;
    std::copy(octets_.begin() + 12, octets_.end(), inner.octets_.begin());
    return inner;
}

std::string IpAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const char* written = inet_ntop(v4_ ? AF_INET : AF_INET6, octets_.data(), text.data(),
                                    static_cast<socklen_t>(text.size()));
    PH_ASSERT(written != nullptr);
    return written;
}

Result<SocketAddress> SocketAddress::parse(std::string_view text, int default_port) {
    PH_ASSERT(default_port <= 65535);
    std::string_view host = text;
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) {
            return failure(quoted(text) + " has a [ without a ]");
        }
        host = text.substr(1, close - 1);
        const std::string_view rest = text.substr(close + 1);
        if (!rest.empty() && rest.front() != ':') {
            return failure(quoted(text) + " has text after the ] that is not :port");
        }
        has_port = !rest.empty();
        if (has_port) port = rest.substr(1);
    } else if (std::ranges::count(text, ':') == 1) {
        const std::size_t colon = text.find(':');
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        has_port = true;
    }
    const auto ip = IpAddress::parse(host);
    if (!ip) return failure(quoted(text) + " is not an IP address with a port");
    if (text.starts_with('[') && ip->is_v4()) {
        return failure(quoted(text) + " has an IPv4 address in brackets");
    }
    if (!has_port) {
        if (default_port < 0) {
            return failure(quoted(text) +
                           " has no port: write \"address:port\" or \"[ipv6]:port\"");
        }
        return SocketAddress{*ip, static_cast<std::uint16_t>(default_port)};
    }
    const auto number = parse_port(port, text);
    if (!number) return failure(number.error());
    return SocketAddress{*ip, *number};
}

SocketAddress SocketAddress::from_native(const sockaddr* native) {
    if (native->sa_family == AF_INET6) {
        sockaddr_in6 in6{};
        std::memcpy(&in6, native, sizeof in6);
        std::array<std::uint8_t, 16> octets{};
        std::memcpy(octets.data(), &in6.sin6_addr, octets.size());
        return {IpAddress::v6(octets), ntohs(in6.sin6_port)};
    }
    PH_ASSERT(native->sa_family == AF_INET);
    sockaddr_in in4{};
    std::memcpy(&in4, native, sizeof in4);
    return {IpAddress::v4(ntohl(in4.sin_addr.s_addr)), ntohs(in4.sin_port)};
}

socklen_t SocketAddress::to_native(sockaddr_storage& storage) const {
    storage = {};
    if (ip.is_v4()) {
        sockaddr_in in4{};
        in4.sin_family = AF_INET;
        in4.sin_port = htons(port);
        std::memcpy(&in4.sin_addr, ip.octets().data(), 4);
        std::memcpy(&storage, &in4, sizeof in4);
        return sizeof in4;
    }
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    std::memcpy(&in6.sin6_addr, ip.octets().data(), 16);
    std::memcpy(&storage, &in6, sizeof in6);
    return sizeof in6;
}

std::string SocketAddress::to_string() const {
    const std::string number = std::to_string(port);
    return ip.is_v4() ? ip.to_string() + ":" + number : "[" + ip.to_string() + "]:" + number;
}

Result<IpNetwork> IpNetwork::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto base = IpAddress::parse(text.substr(0, slash));
    if (!base) return failure(quoted(text) + " is not an IP network such as \"10.0.0.0/8\"");
    const int width = base->is_v4() ? 32 : 128;
    int prefix = width;
    if (slash != std::string_view::npos && !parse_decimal(text.substr(slash + 1), width, prefix)) {
        return failure(quoted(text) + " has no valid prefix length: 0 to " + std::to_string(width));
    }
    for (int bit = prefix; bit < width; ++bit) {
        if (bit_set(base->octets(), bit)) {
            return failure(quoted(text) + " has bits set after its prefix: is a single address " +
                           "meant, or a network that begins elsewhere?");
        }
    }
    IpNetwork network;
    network.base_ = *base;
    network.prefix_ = prefix;
    // A network of mapped addresses is the IPv4 network they carry, as contains() unmaps.
    if (base->is_v6() && prefix >= 96 && base->unmapped().is_v4()) {
        network.base_ = base->unmapped();
        network.prefix_ = prefix - 96;
    }
    return network;
}

bool IpNetwork::contains(const IpAddress& address) const {
    const IpAddress plain = address.unmapped();
    if (plain.is_v4() != base_.is_v4()) return false;
    const auto whole = static_cast<std::size_t>(prefix_ / 8);
    if (!std::equal(base_.octets().begin(),
                    base_.octets().begin() + static_cast<std::ptrdiff_t>(whole),
                    plain.octets().begin())) {
        return false;
    }
    const int rest = prefix_ % 8;
    if (rest == 0) return true;
    const int differing = base_.octets()[whole] ^ plain.octets()[whole];
    return differing >> (8 - rest) == 0;
}

std::string IpNetwork::to_string() const {
    return base_.to_string() + "/" + std::to_string(prefix_);
}

}  // namespace core
