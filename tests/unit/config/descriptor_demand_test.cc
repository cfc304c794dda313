#include "relay/config/descriptor_demand.h"

#include <gtest/gtest.h>

#include "core/io/descriptors.h"

namespace relay {
namespace {

ShapingPolicy policy(const ShapingLimits& defaults) {
    return ShapingPolicy::parse({}, defaults)->policy;
}

Config config_with(std::size_t clients) {
    Config config = default_config();
    config.listeners.resize(2);
    for (ListenerConfig& listener : config.listeners) {
        listener.max_connections = clients / 2;
        listener.addresses.resize(2);
    }
    return config;
}

// The limit that is asked for is one with which Descriptors has the room.
TEST(DescriptorDemand, the_limit_that_it_names_is_the_least_with_room_for_all) {
    constexpr std::size_t kShards = 3;
    constexpr std::size_t kOpen = 70;
    for (const std::uint32_t outbound : {1U, 500U, 900U, 5000U, 90'000U}) {
        Config config = config_with(1000);
        config.shaping.defaults.connection_limit = outbound;
        const DescriptorDemand demand =
            descriptor_demand(config, policy(config.shaping.defaults), kShards, kOpen);
        EXPECT_EQ(demand.inbound, 1000U);
        EXPECT_EQ(demand.outbound, outbound);
        const auto fits = [&](std::size_t limit) {
            core::Descriptors descriptors;
            descriptors.set_limit(limit, kOpen, kShards);
            const std::size_t share = descriptors.room() * 3 / 4;
            return descriptors.room() >= demand.inbound + demand.outbound &&
                   share >= demand.inbound && share >= demand.outbound;
        };
        EXPECT_TRUE(fits(demand.limit())) << outbound;
        EXPECT_FALSE(fits(demand.limit() - 1)) << outbound;
        EXPECT_EQ(descriptor_complaint(demand, demand.limit()), std::nullopt);
    }
}

TEST(DescriptorDemand, a_complaint_names_the_limit_the_number_and_what_to_write) {
    Config config = config_with(2000);
    const DescriptorDemand demand =
        descriptor_demand(config, policy(config.shaping.defaults), 2, estimated_open(config, 2));
    const auto complaint = descriptor_complaint(demand, 1024);
    ASSERT_TRUE(complaint.has_value());
    EXPECT_TRUE(complaint->contains("(RLIMIT_NOFILE) is 1024")) << *complaint;
    EXPECT_TRUE(complaint->contains("2000 connections of clients (max_connections)"));
    EXPECT_TRUE(complaint->contains("LimitNOFILE=" + std::to_string(demand.limit())));
}

// Hosts that several routes name count once; with a route for everything nothing goes out by MX.
TEST(DescriptorDemand, routes_count_once_for_each_host) {
    Config config = config_with(10);
    config.shaping.defaults.connection_limit = 7;
    const auto outbound = [&] {
        return descriptor_demand(config, policy(config.shaping.defaults), 1, 0).outbound;
    };
    EXPECT_EQ(outbound(), 7U);
    for (const char* host : {"one.example", "one.example", "two.example"})
        config.routes.push_back({.domain = "example.com", .hosts = {{.host = host}}});
    EXPECT_EQ(outbound(), 21U);
    config.routes.back().domain = "*";
    EXPECT_EQ(outbound(), 14U);
}

}  // namespace
}  // namespace relay
