#include "relay/config/config.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

RouteConfig route(std::string domain) {
    return {std::move(domain), {}};
}

TEST(Route, matches_by_domain) {
    EXPECT_TRUE(route("example.com").matches("example.com"));
    EXPECT_TRUE(route("example.com").matches("EXAMPLE.com."));
    EXPECT_FALSE(route("example.com").matches("mail.example.com"));
    EXPECT_FALSE(route("example.com").matches("anexample.com"));
    EXPECT_TRUE(route("*").matches("anything"));
    EXPECT_TRUE(route("*").matches(""));
}

TEST(Route, a_star_stands_for_domains_below) {
    EXPECT_TRUE(route("*.example.com").matches("a.example.com"));
    EXPECT_TRUE(route("*.example.com").matches("a.b.Example.COM"));
    EXPECT_FALSE(route("*.example.com").matches("example.com"));
    EXPECT_FALSE(route("*.example.com").matches(".example.com"));
    EXPECT_FALSE(route("*.example.com").matches("anexample.com"));
}

TEST(Route, the_first_match_wins) {
    Config config;
    config.routes = {route("a.example"), route("*.example"), route("a.example")};
    EXPECT_EQ(config.route_for("a.example"), &config.routes[0]);
    EXPECT_EQ(config.route_for("b.example"), &config.routes[1]);
    EXPECT_EQ(config.route_for("b.test"), nullptr);
}

TEST(SizeOrShares, are_taken_of_a_whole) {
    EXPECT_EQ((SizeOrShare{0, 75}.of(1000)), 750U);
    EXPECT_EQ((SizeOrShare{0, 100}.of(~0ULL)), ~0ULL);
    EXPECT_EQ((SizeOrShare{0, 1}.of(99)), 0U);
    EXPECT_EQ((SizeOrShare{42, 0}.of(1000)), 42U);
}

// RFC 5321 section 5.1.
class OwnAddresses : public testing::Test {
  protected:
    void listen(const char* address, ListenerProtocol protocol = ListenerProtocol::smtp) {
        ListenerConfig listener;
        listener.protocol = protocol;
        listener.addresses = {*core::SocketAddress::parse(address)};
        config.listeners.push_back(listener);
    }
    std::vector<std::string> own() const {
        std::vector<core::IpAddress> interfaces;
        for (const char* text : {"127.0.0.1", "192.0.2.1", "192.0.2.2", "::1", "2001:db8::1"})
            interfaces.push_back(*core::IpAddress::parse(text));
        std::vector<std::string> texts;
        for (const core::IpAddress& one : own_addresses(config, interfaces))
            texts.push_back(one.to_string());
        return texts;
    }
    using Texts = std::vector<std::string>;
    Config config = default_config();
};

TEST_F(OwnAddresses, are_those_that_smtp_listeners_name) {
    listen("192.0.2.1:2525");
    listen("192.0.2.1:587");
    listen("[2001:db8::9]:25");
    listen("192.0.2.2:8025", ListenerProtocol::http);
    EXPECT_EQ(own(), (Texts{"2001:db8::9", "192.0.2.1"}));
}

TEST_F(OwnAddresses, are_all_of_the_machine_where_a_listener_has_the_port_of_mx_hosts) {
    listen("0.0.0.0:25");
    EXPECT_EQ(own(), (Texts{"127.0.0.1", "192.0.2.1", "192.0.2.2"}));
    config.listeners.clear();
    listen("[::]:25");  // IPv6 alone: that is how we listen
    EXPECT_EQ(own(), (Texts{"::1", "2001:db8::1"}));
    config.delivery.port = 2600;
    EXPECT_EQ(own(), Texts{});
    config.listeners[0].addresses[0].port = 2600;
    EXPECT_EQ(own(), (Texts{"::1", "2001:db8::1"}));
}

// Port 25 may be another server's, for instance one that serves the domains of this machine.
TEST_F(OwnAddresses, are_not_said_by_a_listener_on_all_addresses_and_another_port) {
    listen("0.0.0.0:587");
    listen("[::]:2525");
    EXPECT_EQ(own(), Texts{});
}

TEST_F(OwnAddresses, are_not_said_by_loopback_and_http) {
    listen("127.0.0.1:25");
    listen("[::1]:25");
    listen("[::ffff:127.0.0.1]:25");
    listen("0.0.0.0:25", ListenerProtocol::http);
    EXPECT_EQ(own(), Texts{});
}

TEST(Defaults, prohibit_loopback_as_mx) {
    const Config config = default_config();
    for (const char* text :
         {"127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"}) {
        EXPECT_TRUE(config.delivery.prohibits(*core::IpAddress::parse(text))) << text;
    }
    for (const char* text : {"192.0.2.1", "2001:db8::1", "10.0.0.1", "0.0.0.1"}) {
        EXPECT_FALSE(config.delivery.prohibits(*core::IpAddress::parse(text))) << text;
    }
}

TEST(Defaults, let_only_this_machine_inject) {
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
