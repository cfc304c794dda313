#include "core/net/listener.h"

#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/net/connector.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"
#include "tests/sim/sim_world.h"
#include "tests/unit/core/net/rig.h"

namespace core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::pause;
using test::Rig;

const SocketAddress kLoopback{IpAddress::v4(0x7f000001), 0};

class ListenerTest : public testing::TestWithParam<std::string> {
  protected:
    std::unique_ptr<Rig> rig = test::make_rig(GetParam());
};

Task<void> serve(Listener& listener, int& served) {
    while (auto stream = co_await listener.accept()) {
        ++served;
        co_await stream->write("220 hello\r\n");
        co_await stream->close();
    }
}

Task<void> visit(Shard& shard, SocketAddress address, int& greeted) {
    auto stream = co_await connect(shard, address, std::nullopt, shard.now() + seconds{10});
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    (*stream)->set_deadline(shard.now() + seconds{10});
    std::string heard;
    while (true) {
        const auto input = co_await (*stream)->read();
        if (!input || input->empty()) break;
        heard += *input;
        (*stream)->consume(input->size());
    }
    if (heard == "220 hello\r\n") ++greeted;
    co_await (*stream)->close();
}

Task<void> serve_many(Shard& shard, int visitors, int& served, int& greeted) {
    Listener listener(shard);
    const auto opened = listener.open(kLoopback);
    EXPECT_TRUE(opened);
    EXPECT_NE(listener.address().port, 0);
    TaskGroup servers(shard.reactor());
    TaskGroup clients(shard.reactor());
    servers.spawn(serve(listener, served));
    for (int i = 0; i < visitors; ++i)
        clients.spawn(visit(shard, listener.address(), greeted));
    co_await clients.close();
    listener.stop();
    co_await servers.close();
    co_await listener.close();
    const auto late = co_await listener.accept();
    EXPECT_EQ(late, nullptr);
}

TEST_P(ListenerTest, serves_everybody_once) {
    int served = 0;
    int greeted = 0;
    rig->run(serve_many(rig->shard(), 200, served, greeted));
    EXPECT_EQ(served, 200);
    EXPECT_EQ(greeted, 200);
}

Task<void> visit_nobody(Shard& shard, SocketAddress address, int& ended) {
    auto stream = co_await connect(shard, address, std::nullopt, shard.now() + seconds{10});
    if (!stream) {
        ++ended;
        co_return;
    }
    (*stream)->set_deadline(shard.now() + seconds{10});
    const auto input = co_await (*stream)->read();
    const bool timed_out = !input && input.error().value() == ETIMEDOUT;
    if (!timed_out) ++ended;
    co_await (*stream)->close();
}

Task<void> overflow_backlog(Shard& shard, int visitors, int& ended_before_close, int& ended) {
    Listener listener(shard);
    const auto opened = listener.open(kLoopback);
    EXPECT_TRUE(opened);
    TaskGroup clients(shard.reactor());
    for (int i = 0; i < visitors; ++i) {
        clients.spawn(visit_nobody(shard, listener.address(), ended));
        if (i % 100 == 99) co_await pause(shard, milliseconds{5});
    }
    co_await pause(shard, milliseconds{200});
    ended_before_close = ended;
    co_await listener.close();  // and those that wait for service are let go
    co_await clients.close();
}

TEST_P(ListenerTest, closes_what_exceeds_the_backlog_and_the_rest_at_its_end) {
    constexpr int kTooMany = 40;
    constexpr int kVisitors = static_cast<int>(Listener::kMaxBacklog) + kTooMany;
    int ended_before_close = 0;
    int ended = 0;
    rig->run(overflow_backlog(rig->shard(), kVisitors, ended_before_close, ended));
    EXPECT_EQ(ended_before_close, kTooMany);
    EXPECT_EQ(ended, kVisitors);
}

Task<void> accept_one(Listener& listener, bool& none) {
    const auto stream = co_await listener.accept();
    none = stream == nullptr;
}

Task<void> stop_pending(Shard& shard, bool& none) {
    Listener listener(shard);
    const auto opened = listener.open(kLoopback);
    EXPECT_TRUE(opened);
    TaskGroup group(shard.reactor());
    group.spawn(accept_one(listener, none));
    co_await pause(shard, milliseconds{5});
    listener.stop();
    co_await group.close();
    co_await listener.close();
}

TEST_P(ListenerTest, stop_ends_a_pending_accept) {
    bool none = false;
    rig->run(stop_pending(rig->shard(), none));
    EXPECT_TRUE(none);
}

Task<void> share_a_port(Shard& shard, int& served, int& greeted) {
    Listener first(shard);
    Listener second(shard);
    const auto opened = first.open(kLoopback);
    EXPECT_TRUE(opened);
    const auto again = second.open(first.address());
    EXPECT_TRUE(again);
    TaskGroup servers(shard.reactor());
    TaskGroup clients(shard.reactor());
    servers.spawn(serve(first, served));
    servers.spawn(serve(second, served));
    for (int i = 0; i < 64; ++i)
        clients.spawn(visit(shard, first.address(), greeted));
    co_await clients.close();
    first.stop();
    second.stop();
    co_await servers.close();
    co_await first.close();
    co_await second.close();
}

TEST_P(ListenerTest, two_listeners_share_one_address) {
    int served = 0;
    int greeted = 0;
    rig->run(share_a_port(rig->shard(), served, greeted));
    EXPECT_EQ(served, 64);
    EXPECT_EQ(greeted, 64);
}

// U1: two processes shared a port, and the kernel shared the mail out between them.
Task<void> be_first(Shard& shard, std::error_code& second, int& by_first, int& by_joined) {
    Listener first(shard);
    Listener stranger(shard);
    Listener joined(shard);
    const auto opened = first.open(kLoopback, Sharing::first);
    EXPECT_TRUE(opened);
    const auto refused = stranger.open(first.address(), Sharing::first);
    if (!refused) second = refused.error();
    const auto again = joined.open(first.address(), Sharing::join);
    EXPECT_TRUE(again);
    TaskGroup servers(shard.reactor());
    TaskGroup clients(shard.reactor());
    int greeted = 0;
    servers.spawn(serve(first, by_first));
    servers.spawn(serve(joined, by_joined));
    for (int i = 0; i < 200; ++i)
        clients.spawn(visit(shard, first.address(), greeted));
    co_await clients.close();
    EXPECT_EQ(greeted, 200);
    first.stop();
    joined.stop();
    co_await servers.close();
    co_await first.close();
    co_await joined.close();
}

TEST_P(ListenerTest, the_first_of_a_group_is_alone_at_its_address) {
    std::error_code second;
    int by_first = 0;
    int by_joined = 0;
    rig->run(be_first(rig->shard(), second, by_first, by_joined));
    EXPECT_EQ(second.value(), EADDRINUSE);
    EXPECT_GT(by_first, 20);  // of 200: the kernel spreads them over our own
    EXPECT_GT(by_joined, 20);
}

// ---- Descriptors

// M1. Room for connections: 8, of which two may be strangers and six come from outside.
Task<void> crowd_in(Shard& shard, bool strangers, int& served, int& told, int& closed) {
    Descriptors& descriptors = shard.descriptors();
    descriptors.set_limit(Descriptors::kLeastRoom, 0, 1);
    Listener listener(shard, [strangers](const IpAddress&) { return !strangers; });
    const auto opened = listener.open(kLoopback);
    EXPECT_TRUE(opened);
    std::vector<std::unique_ptr<TcpStream>> accepted;
    IoBackend& io = shard.io();
    std::vector<Handle> dialled;
    std::vector<std::unique_ptr<test::Probe>> dials;
    for (int i = 0; i < 30; ++i) {  // they take no descriptors of ours
        dialled.push_back(*io.open_socket(listener.address(), &kLoopback));
        dials.push_back(std::make_unique<test::Probe>(shard));
        io.start_connect(dialled.back(), listener.address(), *dials.back());
        co_await dials.back()->next();
    }
    TaskGroup taking(shard.reactor());
    const auto take = [](Listener* from,
                         std::vector<std::unique_ptr<TcpStream>>* all) -> Task<void> {
        while (auto stream = co_await from->accept())
            all->push_back(std::move(stream));
    };
    taking.spawn(take(&listener, &accepted));
    co_await pause(shard, milliseconds{50});
    for (const auto& stream : accepted)
        ++(stream->excess() ? told : served);
    closed = 30 - served - told;
    listener.stop();
    co_await taking.close();
    for (const auto& stream : accepted)
        co_await stream->close();
    EXPECT_EQ(descriptors.leased(), 0U);
    for (const Handle handle : dialled)
        io.close(handle, false);
    co_await listener.close();
}

TEST_P(ListenerTest, who_gets_no_descriptor_is_told_so) {
    for (const bool strangers : {true, false}) {
        int served = 0;
        int told = 0;
        int closed = 0;
        rig->run(crowd_in(rig->shard(), strangers, served, told, closed));
        EXPECT_EQ(served, strangers ? 2 : 6);
        EXPECT_EQ(told, static_cast<int>(Descriptors::kFarewells));
        EXPECT_EQ(closed, 30 - served - told);
    }
}

// Connecting without a descriptor waits, and its deadline with it: the host did nothing wrong.
Task<void> wait_for_descriptor(Shard& shard, Duration& waited, bool& connected) {
    Descriptors& descriptors = shard.descriptors();
    descriptors.set_limit(Descriptors::kLeastRoom, 0, 1);
    Listener listener(shard);
    const auto opened = listener.open(kLoopback);
    EXPECT_TRUE(opened);
    std::vector<Descriptors::Lease> others;
    while (auto lease = descriptors.take(Party::server))
        others.push_back(std::move(lease));
    EXPECT_EQ(others.size(), 6U);
    TaskGroup group(shard.reactor());
    const auto release = [](Shard* on, std::vector<Descriptors::Lease>* all) -> Task<void> {
        co_await pause(*on, milliseconds{300});
        all->clear();
    };
    group.spawn(release(&shard, &others));
    const Instant begun = shard.now();
    const auto stream =
        co_await connect(shard, listener.address(), std::nullopt, begun + milliseconds{100});
    waited = shard.now() - begun;
    connected = stream.has_value();
    if (stream) co_await (*stream)->close();
    co_await group.close();
    co_await listener.close();
    EXPECT_EQ(descriptors.leased(), 0U);
}

TEST_P(ListenerTest, connecting_without_a_descriptor_waits_for_one) {
    Duration waited{};
    bool connected = false;
    rig->run(wait_for_descriptor(rig->shard(), waited, connected));
    EXPECT_TRUE(connected);
    EXPECT_GE(waited, milliseconds{300});
}

// ---- Connecting

Task<void> connect_refused(Shard& shard, int& error) {
    SocketAddress nobody;
    {
        Listener listener(shard);
        const auto opened = listener.open(kLoopback);
        EXPECT_TRUE(opened);
        nobody = listener.address();
        co_await listener.close();
    }
    const auto stream = co_await connect(shard, nobody, std::nullopt, shard.now() + seconds{10});
    error = stream ? 0 : stream.error().value();
}

TEST_P(ListenerTest, nobody_there_is_refused) {
    int error = 0;
    rig->run(connect_refused(rig->shard(), error));
    EXPECT_EQ(error, ECONNREFUSED);
}

Task<void> connect_from(Shard& shard, SocketAddress source, SocketAddress& seen) {
    Listener listener(shard);
    const auto opened = listener.open(kLoopback);
    EXPECT_TRUE(opened);
    auto stream = co_await connect(shard, listener.address(), source, shard.now() + seconds{10});
    EXPECT_TRUE(stream);
    if (!stream) {
        co_await listener.close();
        co_return;
    }
    const auto accepted = co_await listener.accept();
    seen = accepted->peer();
    EXPECT_EQ((*stream)->local(), seen);
    co_await (*stream)->close();
    co_await accepted->close();
    co_await listener.close();
}

TEST_P(ListenerTest, a_source_address_is_used) {
    SocketAddress seen;
    const SocketAddress source{IpAddress::v4(0x7f000005), 0};
    rig->run(connect_from(rig->shard(), source, seen));
    EXPECT_EQ(seen.ip, source.ip);
    EXPECT_NE(seen.port, 0);
}

INSTANTIATE_TEST_SUITE_P(Backends, ListenerTest, testing::Values("uring", "epoll", "sim", "ragged"),
                         [](const auto& parameter) { return parameter.param; });

Task<void> connect_until(Shard& shard, SocketAddress peer, Duration patience, int& error,
                         Duration& took) {
    const Instant start = shard.now();
    const auto stream = co_await connect(shard, peer, std::nullopt, start + patience);
    error = stream ? 0 : stream.error().value();
    took = shard.now() - start;
    if (stream) co_await (*stream)->close();
}

Task<void> stop_after(Shard& shard, ConnectStop& stop, Duration delay) {
    Event never(shard.reactor());
    co_await never.wait(shard.now() + delay);
    stop.stop();
    stop.stop();  // and again, which changes nothing
}

// Somebody ends it before its deadline, or before it began.
Task<void> connect_and_stop(Shard& shard, SocketAddress peer, Duration delay, int& error,
                            Duration& took) {
    const Instant start = shard.now();
    ConnectStop stop;
    TaskGroup stopping(shard.reactor());
    if (delay == Duration{}) stop.stop();
    if (delay > Duration{}) stopping.spawn(stop_after(shard, stop, delay));
    const auto stream = co_await connect(shard, peer, std::nullopt, start + seconds{60}, &stop);
    error = stream ? 0 : stream.error().value();
    took = shard.now() - start;
    if (stream) co_await (*stream)->close();
    co_await stopping.close();
}

TEST(Connect, a_black_hole_ends_when_it_is_stopped) {
    sim::SimWorld world{1};
    world.network().set_planner([](const sim::Opening&) {
        sim::LinkPlan plan;
        plan.connect = sim::ConnectResult::black_hole;
        return plan;
    });
    const SocketAddress peer{IpAddress::v4(0x0a000002), 25};
    for (const Duration delay : {Duration{}, Duration{seconds{2}}}) {
        int error = 0;
        Duration took{};
        ASSERT_TRUE(
            world.run(world.shard(), connect_and_stop(world.shard(), peer, delay, error, took)));
        EXPECT_EQ(error, ETIMEDOUT);
        EXPECT_GE(took, delay);
        EXPECT_LT(took, delay + seconds{1});
        EXPECT_EQ(world.network().open_handles(), 0U);
    }
}

TEST(Connect, a_black_hole_ends_at_the_deadline) {
    sim::SimWorld world{1};
    world.network().set_planner([](const sim::Opening&) {
        sim::LinkPlan plan;
        plan.connect = sim::ConnectResult::black_hole;
        return plan;
    });
    int error = 0;
    Duration took{};
    const SocketAddress peer{IpAddress::v4(0x0a000002), 25};
    ASSERT_TRUE(
        world.run(world.shard(), connect_until(world.shard(), peer, seconds{30}, error, took)));
    EXPECT_EQ(error, ETIMEDOUT);
    EXPECT_GE(took, seconds{30});
    EXPECT_LT(took, seconds{31});
    EXPECT_EQ(world.network().open_handles(), 0U);
}

class ConnectOverKernel : public testing::TestWithParam<std::string> {};

// The kernel's own black hole: a listener whose queue is full drops what comes more.
TEST_P(ConnectOverKernel, a_full_accept_queue_ends_at_the_deadline) {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_storage storage{};
    const socklen_t length = kLoopback.to_native(storage);
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&storage), length), 0);
    ASSERT_EQ(::listen(listener, 0), 0);
    socklen_t size = sizeof storage;
    ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&storage), &size), 0);
    const auto peer = SocketAddress::from_native(reinterpret_cast<sockaddr*>(&storage));
    const int filler = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_EQ(::connect(filler, reinterpret_cast<sockaddr*>(&storage), size), 0);

    const auto rig = test::make_rig(GetParam());
    int error = 0;
    Duration took{};
    rig->run(connect_until(rig->shard(), peer, milliseconds{150}, error, took));
    EXPECT_EQ(error, ETIMEDOUT);
    EXPECT_GE(took, milliseconds{150});
    rig->run(connect_and_stop(rig->shard(), peer, milliseconds{50}, error, took));
    EXPECT_EQ(error, ETIMEDOUT);
    EXPECT_LT(took, seconds{10});
    ::close(filler);
    ::close(listener);
}

INSTANTIATE_TEST_SUITE_P(Backends, ConnectOverKernel, testing::Values("uring", "epoll"),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace core
