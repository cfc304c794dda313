#include "core/base/address.h"

#include <gtest/gtest.h>

namespace core {
namespace {

TEST(IpAddress, reads_and_writes_both_families) {
    for (const char* text :
         {"0.0.0.0", "127.0.0.1", "255.255.255.255", "::1", "::", "2001:db8::25"}) {
        const auto address = IpAddress::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(address->to_string(), text);
    }
    EXPECT_EQ(IpAddress::v4(0x7f000001), *IpAddress::parse("127.0.0.1"));
}

TEST(IpAddress, refuses_what_is_no_address) {
    for (const char* text : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", "localhost", "::g",
                             "1.2.3.4/8", "[::1]", "12345::1"}) {
        EXPECT_FALSE(IpAddress::parse(text)) << text;
    }
}

TEST(IpAddress, mapped_addresses_unmap) {
    const auto mapped = IpAddress::parse("::ffff:10.1.2.3");
    ASSERT_TRUE(mapped);
    EXPECT_EQ(mapped->unmapped(), *IpAddress::parse("10.1.2.3"));
    EXPECT_EQ(IpAddress::parse("::1")->unmapped(), *IpAddress::parse("::1"));
}

TEST(SocketAddress, reads_ports_and_brackets) {
    const auto v4 = SocketAddress::parse("127.0.0.1:2525");
    ASSERT_TRUE(v4);
    EXPECT_EQ(v4->port, 2525);
    EXPECT_EQ(v4->to_string(), "127.0.0.1:2525");
    const auto v6 = SocketAddress::parse("[::1]:25");
    ASSERT_TRUE(v6);
    EXPECT_TRUE(v6->ip.is_v6());
    EXPECT_EQ(v6->to_string(), "[::1]:25");
    const auto defaulted = SocketAddress::parse("10.0.0.1", 25);
    ASSERT_TRUE(defaulted);
    EXPECT_EQ(defaulted->port, 25);
    for (const char* text : {"10.0.0.1", "10.0.0.1:", "10.0.0.1:65536", "10.0.0.1:-1", ":25",
                             "[::1]", "[::1:25", "10.0.0.1:2a"}) {
        EXPECT_FALSE(SocketAddress::parse(text)) << text;
    }
}

TEST(SocketAddress, goes_to_the_kernel_and_back) {
    for (const char* text : {"192.0.2.7:25", "[2001:db8::1]:587"}) {
        const auto address = SocketAddress::parse(text);
        ASSERT_TRUE(address);
        sockaddr_storage storage{};
        ASSERT_GT(address->to_native(storage), 0U);
        EXPECT_EQ(SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&storage)),
                  *address);
    }
}

TEST(IpNetwork, contains_by_prefix) {
    const auto ten = IpNetwork::parse("10.0.0.0/8");
    ASSERT_TRUE(ten);
    EXPECT_TRUE(ten->contains(*IpAddress::parse("10.255.0.1")));
    EXPECT_FALSE(ten->contains(*IpAddress::parse("11.0.0.0")));
    EXPECT_TRUE(ten->contains(*IpAddress::parse("::ffff:10.0.0.9")));  // no way round it
    EXPECT_FALSE(ten->contains(*IpAddress::parse("::1")));
    const auto odd = IpNetwork::parse("192.0.2.128/25");
    ASSERT_TRUE(odd);
    EXPECT_TRUE(odd->contains(*IpAddress::parse("192.0.2.200")));
    EXPECT_FALSE(odd->contains(*IpAddress::parse("192.0.2.127")));
    const auto one = IpNetwork::parse("::1");
    ASSERT_TRUE(one);
    EXPECT_EQ(one->prefix_length(), 128);
    EXPECT_TRUE(one->contains(*IpAddress::parse("::1")));
    EXPECT_FALSE(one->contains(*IpAddress::parse("::2")));
    const auto all = IpNetwork::parse("0.0.0.0/0");
    ASSERT_TRUE(all);
    EXPECT_TRUE(all->contains(*IpAddress::parse("203.0.113.1")));
    EXPECT_FALSE(all->contains(*IpAddress::parse("2001:db8::1")));
}

TEST(IpNetwork, refuses_host_bits_and_bad_lengths) {
    for (const char* text : {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x",
                             "::1/129", "/8", "2001:db8::1/32"}) {
        EXPECT_FALSE(IpNetwork::parse(text)) << text;
    }
}

}  // namespace
}  // namespace core
