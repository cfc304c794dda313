#include "relay/intake/admission.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

using Entry = Admission::Entry;

core::IpAddress ip(std::string_view text) {
    return *core::IpAddress::parse(text);
}
core::IpNetwork network(std::string_view text) {
    return *core::IpNetwork::parse(text);
}

TEST(Admission, allows_its_networks_and_nobody_else) {
    const Admission admission({network("127.0.0.0/8"), network("2001:db8::/32")}, 10);
    EXPECT_TRUE(admission.allows(ip("127.0.0.1")));
    EXPECT_TRUE(admission.allows(ip("2001:db8::1")));
    EXPECT_FALSE(admission.allows(ip("192.0.2.1")));
    EXPECT_FALSE(admission.allows(ip("::1")));
    EXPECT_FALSE(Admission({}, 10).allows(ip("127.0.0.1")));
}

// An address written in another way is the same address.
TEST(Admission, an_address_written_in_another_way_is_the_same_address) {
    const Admission admission({network("192.0.2.0/24")}, 10);
    EXPECT_TRUE(admission.allows(ip("::ffff:192.0.2.1")));
    EXPECT_FALSE(admission.allows(ip("::ffff:198.51.100.1")));
    EXPECT_FALSE(Admission({network("::/0")}, 10).allows(ip("::ffff:198.51.100.1")));
}

TEST(Admission, limits_connections) {
    Admission admission({network("127.0.0.0/8")}, 3);
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(is_in(admission.enter(ip("127.0.0.1"))));
    EXPECT_EQ(admission.enter(ip("127.0.0.2")), Entry::full);
    EXPECT_EQ(admission.connections(), 3U);
    admission.leave(ip("127.0.0.1"));
    EXPECT_EQ(admission.enter(ip("127.0.0.2")), Entry::client);
}

// M6: strangers have few places of their own, and take none from clients.
TEST(Admission, strangers_take_no_place_from_clients) {
    for (const std::size_t most : {1U, 10U, 60U, 100'000U}) {
        Admission admission({network("127.0.0.0/8")}, most);
        const std::size_t places = admission.stranger_places();
        EXPECT_EQ(places, std::clamp<std::size_t>(most / 10, 1, Admission::kStrangers));
        for (std::size_t i = 0; i < places; ++i) {
            EXPECT_EQ(admission.enter(ip("192.0.2." + std::to_string(i % 250))), Entry::stranger);
        }
        EXPECT_EQ(admission.enter(ip("198.51.100.1")), Entry::crowded);
        for (std::size_t i = 0; i < std::min<std::size_t>(most, 60); ++i)
            EXPECT_EQ(admission.enter(ip("127.0.0.1")), Entry::client);
        // Another stranger is being cut off.
        EXPECT_EQ(admission.enter(ip("198.51.100.1"), true), Entry::stranger);
        admission.leave(ip("192.0.2.0"));
    }
}

TEST(Admission, one_client_leaves_places_for_others) {
    Admission admission({network("127.0.0.0/8")}, 1000);
    for (int i = 0; i < 900; ++i)
        EXPECT_EQ(admission.enter(ip("127.0.0.1")), Entry::client);
    EXPECT_EQ(admission.enter(ip("127.0.0.1")), Entry::full);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(admission.enter(ip("127.0.0.2")), Entry::client);
    EXPECT_EQ(admission.enter(ip("127.0.0.3")), Entry::full);
}

// M6: one machine has all addresses of such a network.
TEST(Admission, an_ipv6_network_counts_as_one_address) {
    Admission admission({network("127.0.0.0/8")}, 1000);
    for (std::size_t i = 0; i < Admission::kStrangersPerAddress; ++i)
        EXPECT_EQ(admission.enter(ip("2001:db8:0:1::" + std::to_string(i))), Entry::stranger);
    EXPECT_EQ(admission.enter(ip("2001:db8:0:1:ffff::1")), Entry::full);
    EXPECT_EQ(admission.enter(ip("2001:db8:0:2::1")), Entry::stranger);
    admission.leave(ip("2001:db8:0:1::3"));
    EXPECT_EQ(admission.enter(ip("2001:db8:0:1:ffff::1")), Entry::stranger);
    EXPECT_EQ(client_network(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
}

TEST(Admission, limits_strangers_by_address) {
    Admission admission({network("127.0.0.0/8")}, 1000);
    for (std::size_t i = 0; i < Admission::kStrangersPerAddress; ++i) {
        EXPECT_TRUE(is_in(admission.enter(ip(i % 2 == 0 ? "192.0.2.1" : "::ffff:192.0.2.1"))));
    }
    EXPECT_EQ(admission.enter(ip("192.0.2.1")), Entry::full);
    EXPECT_EQ(admission.enter(ip("192.0.2.2")), Entry::stranger);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(admission.enter(ip("127.0.0.1")), Entry::client);
    admission.leave(ip("::ffff:192.0.2.1"));
    EXPECT_EQ(admission.enter(ip("192.0.2.1")), Entry::stranger);
}

}  // namespace
}  // namespace relay
