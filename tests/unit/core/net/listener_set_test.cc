#include "core/net/listener_set.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "core/net/connector.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"
#include "tests/unit/core/net/rig.h"

namespace core {
namespace {

using std::chrono::seconds;
using test::Rig;

const SocketAddress kLoopback{IpAddress::v4(0x7f000001), 0};

class ListenerSetTest : public testing::TestWithParam<std::string> {
  protected:
    std::unique_ptr<Rig> rig = test::make_rig(GetParam());
};

Task<void> close_stream(std::unique_ptr<TcpStream> stream) {
    co_await stream->close();
}

Task<void> visit(Shard& shard, SocketAddress address, int& reached) {
    auto stream = co_await connect(shard, address, std::nullopt, shard.now() + seconds{10});
    if (!stream) co_return;
    ++reached;
    (*stream)->set_deadline(shard.now() + seconds{10});
    while (true) {
        const auto input = co_await (*stream)->read();
        if (!input || input->empty()) break;
        (*stream)->consume(input->size());
    }
    co_await (*stream)->close();
}

Task<void> serve_two_addresses(Shard& shard, int& served, int& reached) {
    ListenerSet listeners(shard);
    const auto one = listeners.open(kLoopback);
    const auto other = listeners.open(kLoopback);
    EXPECT_TRUE(one && other);
    EXPECT_NE(one->port, other->port);
    EXPECT_EQ(listeners.addresses(), (std::vector<SocketAddress>{*one, *other}));
    TaskGroup sessions(shard.reactor());
    listeners.start([&sessions, &served](std::unique_ptr<TcpStream> stream) {
        ++served;
        sessions.spawn(close_stream(std::move(stream)));
    });
    TaskGroup clients(shard.reactor());
    for (int i = 0; i < 20; ++i)
        clients.spawn(visit(shard, i % 2 == 0 ? *one : *other, reached));
    co_await clients.close();
    co_await listeners.stop();
    co_await listeners.stop();  // a server that leaves to others stops before it drains
    co_await sessions.close();
    co_await listeners.close();
}

TEST_P(ListenerSetTest, connections_of_every_address_are_served_until_it_stops) {
    int served = 0;
    int reached = 0;
    rig->run(serve_two_addresses(rig->shard(), served, reached));
    EXPECT_EQ(served, 20);
    EXPECT_EQ(reached, 20);
}

Task<void> close_unstarted(Shard& shard) {
    ListenerSet listeners(shard);
    EXPECT_TRUE(listeners.open(kLoopback).has_value());
    co_await listeners.stop();
    co_await listeners.close();
}

TEST_P(ListenerSetTest, one_that_never_served_ends_too) {
    rig->run(close_unstarted(rig->shard()));
}

INSTANTIATE_TEST_SUITE_P(Backends, ListenerSetTest,
                         testing::Values("uring", "epoll", "sim", "ragged"));

}  // namespace
}  // namespace core
