#include "relay/inject/admission.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

core::IpAddress ip(std::string_view text) {
    return *core::IpAddress::parse(text);
}
core::IpNetwork network(std::string_view text) {
    return *core::IpNetwork::parse(text);
}

TEST(Admission, AllowsItsNetworksAndNobodyElse) {
    const Admission admission({network("127.0.0.0/8"), network("2001:db8::/32")}, 10);
    EXPECT_TRUE(admission.allows(ip("127.0.0.1")));
    EXPECT_TRUE(admission.allows(ip("2001:db8::1")));
    EXPECT_FALSE(admission.allows(ip("192.0.2.1")));
    EXPECT_FALSE(admission.allows(ip("::1")));
    EXPECT_FALSE(Admission({}, 10).allows(ip("127.0.0.1")));
}

// An address written in another way is the same address.
TEST(Admission, UnmapsAddresses) {
    const Admission admission({network("192.0.2.0/24")}, 10);
    EXPECT_TRUE(admission.allows(ip("::ffff:192.0.2.1")));
    EXPECT_FALSE(admission.allows(ip("::ffff:198.51.100.1")));
    EXPECT_FALSE(Admission({network("::/0")}, 10).allows(ip("::ffff:198.51.100.1")));
}

TEST(Admission, LimitsConnections) {
    Admission admission({network("127.0.0.0/8")}, 3);
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(admission.enter(ip("127.0.0.1")));
    EXPECT_FALSE(admission.enter(ip("127.0.0.2")));
    EXPECT_EQ(admission.connections(), 3U);
    admission.leave(ip("127.0.0.1"));
    EXPECT_TRUE(admission.enter(ip("127.0.0.2")));
}

TEST(Admission, LimitsStrangersByAddress) {
    Admission admission({network("127.0.0.0/8")}, 1000);
    for (std::size_t i = 0; i < Admission::kStrangersPerAddress; ++i) {
        EXPECT_TRUE(admission.enter(ip(i % 2 == 0 ? "192.0.2.1" : "::ffff:192.0.2.1")));
    }
    EXPECT_FALSE(admission.enter(ip("192.0.2.1")));
    EXPECT_TRUE(admission.enter(ip("192.0.2.2")));
    for (int i = 0; i < 100; ++i)
        EXPECT_TRUE(admission.enter(ip("127.0.0.1")));
    admission.leave(ip("::ffff:192.0.2.1"));
    EXPECT_TRUE(admission.enter(ip("192.0.2.1")));
}

}  // namespace
}  // namespace relay
