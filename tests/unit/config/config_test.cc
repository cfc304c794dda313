#include "relay/config/config.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

RouteConfig route(std::string domain) {
    return {std::move(domain), {}};
}

TEST(Route, MatchesByDomain) {
    EXPECT_TRUE(route("example.com").matches("example.com"));
    EXPECT_TRUE(route("example.com").matches("EXAMPLE.com."));
    EXPECT_FALSE(route("example.com").matches("mail.example.com"));
    EXPECT_FALSE(route("example.com").matches("anexample.com"));
    EXPECT_TRUE(route("*").matches("anything"));
    EXPECT_TRUE(route("*").matches(""));
}

TEST(Route, AStarStandsForDomainsBelow) {
    EXPECT_TRUE(route("*.example.com").matches("a.example.com"));
    EXPECT_TRUE(route("*.example.com").matches("a.b.Example.COM"));
    EXPECT_FALSE(route("*.example.com").matches("example.com"));
    EXPECT_FALSE(route("*.example.com").matches(".example.com"));
    EXPECT_FALSE(route("*.example.com").matches("anexample.com"));
}

TEST(Route, TheFirstMatchWins) {
    Config config;
    config.routes = {route("a.example"), route("*.example"), route("a.example")};
    EXPECT_EQ(config.route_for("a.example"), &config.routes[0]);
    EXPECT_EQ(config.route_for("b.example"), &config.routes[1]);
    EXPECT_EQ(config.route_for("b.test"), nullptr);
}

TEST(SizeOrShares, AreTakenOfAWhole) {
    EXPECT_EQ((SizeOrShare{0, 75}.of(1000)), 750U);
    EXPECT_EQ((SizeOrShare{0, 100}.of(~0ULL)), ~0ULL);
    EXPECT_EQ((SizeOrShare{0, 1}.of(99)), 0U);
    EXPECT_EQ((SizeOrShare{42, 0}.of(1000)), 42U);
}

TEST(Defaults, ProhibitLoopbackAsMx) {
    const Config config = default_config();
    for (const char* text :
         {"127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"}) {
        EXPECT_TRUE(config.delivery.prohibits(*core::IpAddress::parse(text))) << text;
    }
    for (const char* text : {"192.0.2.1", "2001:db8::1", "10.0.0.1", "0.0.0.1"}) {
        EXPECT_FALSE(config.delivery.prohibits(*core::IpAddress::parse(text))) << text;
    }
}

TEST(Defaults, LetOnlyThisMachineInject) {
    ListenerConfig listener;
    EXPECT_FALSE(listener.allows(*core::IpAddress::parse("127.0.0.1")));
    listener.allow = default_allow();
    EXPECT_TRUE(listener.allows(*core::IpAddress::parse("127.0.0.1")));
    EXPECT_TRUE(listener.allows(*core::IpAddress::parse("::1")));
    EXPECT_TRUE(listener.allows(*core::IpAddress::parse("::ffff:127.0.0.1")));
    EXPECT_FALSE(listener.allows(*core::IpAddress::parse("192.0.2.1")));
}

}  // namespace
}  // namespace relay
