#include "core/io/descriptors.h"

#include <vector>

#include <gtest/gtest.h>

namespace core {
namespace {

using Use = Descriptors::Use;

std::vector<Descriptors::Lease> take_all(Descriptors& descriptors, Use use) {
    std::vector<Descriptors::Lease> leases;
    while (auto lease = descriptors.take(use))
        leases.push_back(std::move(lease));
    return leases;
}

// A limit that leaves so much room for connections.
void set_room(Descriptors& descriptors, std::size_t room) {
    descriptors.set_limit(room + 10 + Descriptors::kReserve + 2 * Descriptors::kReservePerShard +
                              Descriptors::kFarewells,
                          10, 2);
    EXPECT_EQ(descriptors.room(), room);
}

// M1: one kind used up all of them.
TEST(Descriptors, each_kind_of_connection_has_its_share) {
    Descriptors descriptors;
    set_room(descriptors, 100);
    const auto strangers = take_all(descriptors, Use::stranger);
    EXPECT_EQ(strangers.size(), 25U);
    auto clients = take_all(descriptors, Use::client);
    EXPECT_EQ(clients.size(), 50U);  // three quarters are inbound
    const auto servers = take_all(descriptors, Use::server);
    EXPECT_EQ(servers.size(), 25U);
    clients.clear();
    EXPECT_EQ(take_all(descriptors, Use::server).size(), 50U);
    EXPECT_EQ(take_all(descriptors, Use::farewell).size(), Descriptors::kFarewells);
}

TEST(Descriptors, come_back_with_their_lease) {
    Descriptors descriptors;
    set_room(descriptors, 8);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(take_all(descriptors, Use::server).size(), 6U);
        EXPECT_EQ(descriptors.leased(), 0U);
    }
    Descriptors::Lease first = descriptors.take(Use::client);
    Descriptors::Lease second = std::move(first);
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): a lease says that it is empty
    EXPECT_TRUE(second);
    EXPECT_EQ(descriptors.leased(Use::client), 1U);
    second = {};
    EXPECT_EQ(descriptors.leased(), 0U);
}

TEST(Descriptors, a_limit_below_the_reserve_leaves_a_few) {
    Descriptors descriptors;
    descriptors.set_limit(20, 30, 4);
    EXPECT_EQ(descriptors.room(), Descriptors::kLeastRoom);
}

TEST(Descriptors, without_a_limit_everything_is_granted) {
    Descriptors descriptors;
    EXPECT_TRUE(descriptors.plentiful());
    EXPECT_TRUE(descriptors.take(Use::stranger));
    set_room(descriptors, 10'000);
    EXPECT_FALSE(descriptors.plentiful());
    set_room(descriptors, 20'000);
    EXPECT_TRUE(descriptors.plentiful());
}

TEST(Descriptors, those_that_are_open_are_counted) {
    const std::size_t before = Descriptors::count_open();
    EXPECT_GT(before, 2U);
    EXPECT_LT(before, Descriptors::raise_limit());
}

}  // namespace
}  // namespace core
