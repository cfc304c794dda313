#include "core/base/address.h"

#include <string>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace {

using core::IpAddress;
using core::IpNetwork;
using core::SocketAddress;

IpAddress ip(std::string_view text) {
    const auto parsed = IpAddress::parse(text);
    EXPECT_TRUE(parsed.has_value()) << text;
    return parsed.value_or(IpAddress{});
}

IpNetwork network(std::string_view text) {
    const auto parsed = IpNetwork::parse(text);
    EXPECT_TRUE(parsed.has_value()) << text;
    return parsed.value_or(IpNetwork{});
}

TEST(Address, is_read_and_written) {
    for (const char* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::25",
                             "::ffff:192.0.2.1"}) {
        EXPECT_EQ(ip(text).to_string(), text);
    }
    EXPECT_EQ(ip("2001:DB8:0:0::25").to_string(), "2001:db8::25");
    EXPECT_EQ(ip("192.0.2.1"), IpAddress::v4(0xc0000201));
}

TEST(Address, refuses_what_is_none) {
    const std::vector<std::string_view> wrong{
        "",         "1.2.3",      "1.2.3.4.5", "1.2.3.256", "01.2.3.4",
        " 1.2.3.4", "::1%lo",     "[::1]",     "example",   "1.2.3.4/8",
        ":::",      "0x7f.0.0.1", "1.2.3.4 ",  "12345::1",  std::string_view("1.2.3.4\0x", 9)};
    for (const auto text : wrong)
        EXPECT_FALSE(IpAddress::parse(text).has_value()) << text;
    EXPECT_FALSE(IpAddress::parse(std::string(1000, '1')).has_value());
}

TEST(Address, mapped_carries_an_ipv4_address) {
    EXPECT_EQ(ip("::ffff:192.0.2.1").unmapped(), ip("192.0.2.1"));
    EXPECT_EQ(ip("::1").unmapped(), ip("::1"));
    EXPECT_EQ(ip("::192.0.2.1").unmapped(), ip("::192.0.2.1"));
}

TEST(SocketAddresses, are_read_and_written) {
    EXPECT_EQ(SocketAddress::parse("127.0.0.1:2525")->to_string(), "127.0.0.1:2525");
    EXPECT_EQ(SocketAddress::parse("[::1]:25")->to_string(), "[::1]:25");
    EXPECT_EQ(SocketAddress::parse("127.0.0.1", 53)->port, 53);
    EXPECT_EQ(SocketAddress::parse("::1", 53)->to_string(), "[::1]:53");
    EXPECT_EQ(SocketAddress::parse("[::1]", 53)->to_string(), "[::1]:53");
    EXPECT_EQ(SocketAddress::parse("127.0.0.1:0")->port, 0);
    EXPECT_EQ(SocketAddress::parse("127.0.0.1:65535", 53)->port, 65535);
}

TEST(SocketAddresses, refuse_what_is_none) {
    for (const char* text : {"", ":25", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                             "127.0.0.1:-1", "127.0.0.1: 25", "[::1]", "[::1]25", "[::1", "::1:25:",
                             "[127.0.0.1]:25", "localhost:25", "127.0.0.1:99999999999"}) {
        EXPECT_FALSE(SocketAddress::parse(text).has_value()) << text;
    }
}

TEST(SocketAddresses, survive_the_kernels_form) {
    for (const char* text : {"192.0.2.1:25", "[2001:db8::1]:2525"}) {
        const auto address = SocketAddress::parse(text);
        ASSERT_TRUE(address.has_value());
        sockaddr_storage storage;
        const socklen_t length = address->to_native(storage);
        EXPECT_EQ(length, address->ip.is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
        EXPECT_EQ(SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&storage)),
                  *address);
    }
}

TEST(Network, contains_its_addresses) {
    EXPECT_TRUE(network("10.0.0.0/8").contains(ip("10.255.255.255")));
    EXPECT_FALSE(network("10.0.0.0/8").contains(ip("11.0.0.0")));
    EXPECT_TRUE(network("192.0.2.128/25").contains(ip("192.0.2.200")));
    EXPECT_FALSE(network("192.0.2.128/25").contains(ip("192.0.2.127")));
    EXPECT_TRUE(network("192.0.2.1").contains(ip("192.0.2.1")));
    EXPECT_FALSE(network("192.0.2.1").contains(ip("192.0.2.2")));
    EXPECT_TRUE(network("0.0.0.0/0").contains(ip("203.0.113.9")));
    EXPECT_TRUE(network("2001:db8::/33").contains(ip("2001:db8:7fff::1")));
    EXPECT_FALSE(network("2001:db8::/33").contains(ip("2001:db8:8000::1")));
    EXPECT_TRUE(network("::/0").contains(ip("2001:db8::1")));
}

TEST(Network, cannot_be_passed_by_a_mapped_address) {
    EXPECT_TRUE(network("127.0.0.0/8").contains(ip("::ffff:127.0.0.1")));
    EXPECT_FALSE(network("::/0").contains(ip("::ffff:127.0.0.1")));
    EXPECT_TRUE(network("::ffff:10.0.0.0/104").contains(ip("10.1.2.3")));
    EXPECT_EQ(network("::ffff:0.0.0.0/96").to_string(), "0.0.0.0/0");
}

TEST(Network, refuses_what_is_none) {
    for (const char* text :
         {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/-1", "::/129", "10.0.0.1/8",
          "2001:db8::1/64", "10.0.0.0/8/8", "example/8"}) {
        EXPECT_FALSE(IpNetwork::parse(text).has_value()) << text;
    }
    EXPECT_EQ(network("10.0.0.0/8").to_string(), "10.0.0.0/8");
    EXPECT_EQ(network("::1").to_string(), "::1/128");
}

}  // namespace
