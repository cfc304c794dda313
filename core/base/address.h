// IP addresses, socket addresses and networks as values. Parsing accepts what a user writes in the
// configuration ("127.0.0.1:2525", "[::1]:25", "10.0.0.0/8"); no name lookups happen here.
// IPv4-mapped IPv6 addresses (::ffff:a.b.c.d) are compared as the IPv4 address they carry, so that
// no network list can be passed by writing an address differently.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>

#include "core/base/result.h"

namespace core {

class IpAddress {
  public:
    IpAddress() = default;  // 0.0.0.0
    static IpAddress v4(std::uint32_t host_order);
    static IpAddress v6(const std::array<std::uint8_t, 16>& octets);
    static Result<IpAddress> parse(std::string_view text);

    bool is_v4() const { return v4_; }
    bool is_v6() const { return !v4_; }
    // Network order; 4 octets in front for IPv4.
    const std::array<std::uint8_t, 16>& octets() const { return octets_; }
    IpAddress unmapped() const;  // ::ffff:1.2.3.4 becomes 1.2.3.4
    std::string to_string() const;
    bool operator==(const IpAddress&) const = default;
    auto operator<=>(const IpAddress&) const = default;

  private:
    std::array<std::uint8_t, 16> octets_{};
    bool v4_ = true;
};

struct SocketAddress {
    IpAddress ip;
    std::uint16_t port = 0;

    // "1.2.3.4:25" or "[::1]:25"; a port is required unless default_port is given (>= 0).
    static Result<SocketAddress> parse(std::string_view text, int default_port = -1);
    static SocketAddress from_native(const sockaddr* native);
    socklen_t to_native(sockaddr_storage& storage) const;
    std::string to_string() const;
    bool operator==(const SocketAddress&) const = default;
    auto operator<=>(const SocketAddress&) const = default;
};

class IpNetwork {
  public:
    // "10.0.0.0/8", "::1/128"; a bare address is a network of one. Host bits must be zero.
    static Result<IpNetwork> parse(std::string_view text);
    bool contains(const IpAddress& address) const;
    std::string to_string() const;
    int prefix_length() const { return prefix_; }
    bool operator==(const IpNetwork&) const = default;

  private:
    IpAddress base_;
    int prefix_ = 0;
};

}  // namespace core
