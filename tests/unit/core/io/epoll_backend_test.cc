// What only the epoll backend has: how much one wait does, that it never turns for nothing, numbers
// of handles that come back, the threads for files.
#include "core/io/epoll_backend.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "tests/unit/core/io/backend_fixture.h"

namespace core {
namespace {

using std::chrono::milliseconds;
using test::Counter;
using test::Socketpair;
using test::wait_for;
using test::wait_until;

class EpollBackendTest : public testing::Test {
  protected:
    SystemClock clock;

    std::unique_ptr<EpollBackend> create(EpollOptions options) {
        auto created = EpollBackend::create(options, clock);
        PH_ASSERT(created.has_value());
        return std::move(*created);
    }
};

void write_all(int handle, const std::string& text) {
    PH_ASSERT(::write(handle, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

TEST_F(EpollBackendTest, one_wait_takes_a_buffer_from_each_however_much_one_sends) {
    const auto io = create({.receive_buffers = 64, .receive_buffer_size = 256});
    const Socketpair loud;
    const Socketpair quiet;
    Counter much;
    Counter little;
    io->start_receive(loud.ends[0], much, Intake::stream);
    io->start_receive(quiet.ends[0], little, Intake::stream);
    write_all(loud.ends[1], std::string(256 * 20, 'l'));
    write_all(quiet.ends[1], "q");
    for (std::size_t turn = 1; turn <= 10; ++turn) {
        io->wait(Instant::min());
        EXPECT_EQ(much.seen.size(), turn);
        EXPECT_EQ(little.seen.size(), 1U);
    }
    for (Counter* each : {&much, &little}) {
        io->cancel(*each);
        ASSERT_TRUE(wait_for(*io, *each));
    }
}

TEST_F(EpollBackendTest, more_that_are_ready_than_one_wait_takes_come_in_the_next_ones) {
    constexpr std::size_t kSockets = 2 * EpollBackend::kMostEvents + 50;
    const auto io = create({.receive_buffers = 1024, .receive_buffer_size = 64});
    std::vector<std::unique_ptr<Socketpair>> pairs;
    std::vector<std::unique_ptr<Counter>> receives;
    for (std::size_t i = 0; i < kSockets; ++i) {
        pairs.push_back(std::make_unique<Socketpair>());
        receives.push_back(std::make_unique<Counter>());
        io->start_receive(pairs[i]->ends[0], *receives[i], Intake::stream);
        write_all(pairs[i]->ends[1], "number " + std::to_string(i));
        ::shutdown(pairs[i]->ends[1], SHUT_WR);
    }
    std::uint64_t before = 0;
    const auto all_ended = [&] {
        EXPECT_LE(io->stats().completed - before, EpollBackend::kMostAttempts);
        before = io->stats().completed;
        return std::ranges::none_of(receives, [](const auto& one) { return one->in_flight(); });
    };
    EXPECT_TRUE(wait_until(*io, all_ended));
    for (std::size_t i = 0; i < kSockets; ++i) {
        const auto& seen = receives[i]->seen;
        ASSERT_EQ(seen.size(), 2U);
        EXPECT_EQ(io->buffer(seen[0].buffer, static_cast<std::size_t>(seen[0].result)),
                  "number " + std::to_string(i));
        EXPECT_EQ(seen[1].result, 0);
    }
}

// Input that nobody wants, room that nobody needs, a listener that nobody accepts from.
TEST_F(EpollBackendTest, what_nobody_waits_for_does_not_end_the_wait) {
    const auto io = create({.receive_buffers = 4, .receive_buffer_size = 64});
    const Socketpair pair;
    Counter receive;
    io->start_receive(pair.ends[0], receive, Intake::sip);
    write_all(pair.ends[1], std::string(640, 'x'));
    ASSERT_TRUE(wait_for(*io, receive));
    io->wait(Instant::min());
    const std::uint64_t before = io->stats().enters;
    const Instant start = clock.now();
    io->wait(start + milliseconds{30});
    EXPECT_GE(clock.now() - start, milliseconds{29});
    EXPECT_EQ(io->stats().enters - before, 1U);
    io->recycle(receive.seen[0].buffer);
}

TEST_F(EpollBackendTest, a_send_without_room_is_not_tried_again_before_there_is_some) {
    const auto io = create({.receive_buffers = 4, .receive_buffer_size = 64});
    const Socketpair pair;
    ::fcntl(pair.ends[0], F_SETFL, O_NONBLOCK);
    const std::string text(4096, 'f');
    while (::write(pair.ends[0], text.data(), text.size()) > 0) {
    }
    Counter send;
    const std::vector<iovec> parts{{const_cast<char*>(text.data()), text.size()}};
    io->start_send(pair.ends[0], parts, send);
    io->wait(Instant::min());  // registers, and learns that there is none
    io->wait(Instant::min());
    const std::uint64_t before = io->stats().enters;
    io->wait(clock.now() + milliseconds{20});
    EXPECT_EQ(io->stats().enters - before, 1U);
    EXPECT_TRUE(send.in_flight());
    std::string space(1U << 20, '-');
    while (::recv(pair.ends[1], space.data(), space.size(), MSG_DONTWAIT) > 0) {
    }
    ASSERT_TRUE(wait_for(*io, send));
    EXPECT_EQ(send.result(), 4096);
}

// A library that closes what it had us poll without a word: the next socket may get the number.
TEST_F(EpollBackendTest, a_polled_handle_closed_by_others_harms_nobody) {
    const auto io = create({.receive_buffers = 4, .receive_buffer_size = 64});
    const SocketAddress loopback{IpAddress::v4(0x7f000001), 0};
    int ends[2]{};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Counter poll;
    io->start_poll(ends[0], POLLIN, poll);
    io->wait(Instant::min());
    ::close(ends[1]);
    ::close(ends[0]);
    const auto socket = io->listen(loopback, Sharing::first);
    ASSERT_TRUE(socket);
    ASSERT_EQ(*socket, ends[0]) << "the kernel gives out the smallest number";
    Counter accept;
    io->start_accept(*socket, accept, Shots::many);
    ASSERT_TRUE(wait_for(*io, poll));
    EXPECT_EQ(poll.result(), -ECANCELED);
    const SocketAddress there = *io->local_address(*socket);
    const auto client = io->open_socket(there, nullptr);
    Counter dial;
    io->start_connect(*client, there, dial);
    ASSERT_TRUE(wait_until(*io, [&] { return accept.seen.size() == 1 && !dial.in_flight(); }));
    io->cancel(accept);
    ASSERT_TRUE(wait_for(*io, accept));
    for (const Handle handle : {accept.seen[0].result, *client, *socket})
        io->close(handle, false);
}

// The next process holds our listening sockets while we end.
TEST_F(EpollBackendTest, a_listening_socket_that_others_hold_too_tells_nothing_once_closed) {
    const auto io = create({.receive_buffers = 4, .receive_buffer_size = 64});
    const SocketAddress loopback{IpAddress::v4(0x7f000001), 0};
    const auto listener = io->listen(loopback, Sharing::first);
    ASSERT_TRUE(listener);
    const SocketAddress there = *io->local_address(*listener);
    const int theirs = ::dup(*listener);
    Counter accept;
    io->start_accept(*listener, accept, Shots::many);
    io->wait(Instant::min());
    io->cancel(accept);
    ASSERT_TRUE(wait_for(*io, accept));
    io->close(*listener, false);
    const Socketpair next;  // has the number now
    Counter receive;
    io->start_receive(next.ends[0], receive, Intake::stream);
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_storage storage{};
    const socklen_t length = there.to_native(storage);
    ASSERT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&storage), length), 0);
    io->wait(Instant::min());
    const std::uint64_t before = io->stats().enters;
    io->wait(clock.now() + milliseconds{20});
    EXPECT_EQ(io->stats().enters - before, 1U);
    EXPECT_TRUE(receive.seen.empty());
    io->cancel(receive);
    ASSERT_TRUE(wait_for(*io, receive));
    ::close(client);
    ::close(theirs);
}

TEST_F(EpollBackendTest, a_passed_listening_socket_is_made_one_that_does_not_block) {
    const auto io = create({.receive_buffers = 4, .receive_buffer_size = 64});
    const int passed = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_EQ(::listen(passed, 1), 0);
    io->adopt_listener(passed);
    Counter accept;
    io->start_accept(passed, accept, Shots::many);
    const SocketAddress bound = *io->local_address(passed);
    const SocketAddress there{IpAddress::v4(0x7f000001), bound.port};
    const auto client = io->open_socket(there, nullptr);
    Counter dial;
    io->start_connect(*client, there, dial);
    ASSERT_TRUE(wait_until(*io, [&] { return accept.seen.size() == 1; }));
    ASSERT_TRUE(wait_for(*io, dial));
    io->cancel(accept);
    ASSERT_TRUE(wait_for(*io, accept));
    for (const Handle handle : {accept.seen[0].result, *client, passed})
        io->close(handle, false);
}

// ---- The threads for files

struct Files {
    Files() {
        wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        file = ::memfd_create("files", MFD_CLOEXEC);
        PH_ASSERT(wake >= 0 && file >= 0 && threads.start(wake).has_value());
    }
    ~Files() {
        threads.stop();
        ::close(wake);
        ::close(file);
    }
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;
    void wait() {
        pollfd waits{wake, POLLIN, 0};
        ASSERT_EQ(::poll(&waits, 1, 10'000), 1);
        std::uint64_t count = 0;
        ASSERT_EQ(::read(wake, &count, sizeof count), static_cast<ssize_t>(sizeof count));
        threads.collect(done);
    }
    int wake = -1;
    int file = -1;
    FileThreads threads;
    std::vector<FileThreads::Job> done;
};

TEST(FileThreads, far_more_jobs_than_are_handed_over_all_end_and_writes_go_first) {
    Files files;
    constexpr std::size_t kMany = 20 * FileThreads::kMostHanded;
    ASSERT_EQ(::ftruncate(files.file, 64 << 20), 0);
    std::vector<Counter> operations(kMany + 1);
    std::string space(64U << 10, '-');
    std::vector<std::array<char, 1024>> pieces(kMany);  // two threads read at once
    using Call = FileThreads::Call;
    for (std::size_t i = 0; i < kMany; ++i) {
        files.threads.submit(
            {&operations[i], Call::read, files.file, {pieces[i].data(), 1024}, 1024 * i, 0});
    }
    files.threads.submit(
        {&operations[kMany], Call::synced_write, files.file, {space.data(), space.size()}, 0, 0});
    while (files.done.size() < kMany + 1)
        files.wait();
    std::vector<const Operation*> order;
    for (const FileThreads::Job& job : files.done)
        order.push_back(job.operation);
    const auto written = std::ranges::find(order, &operations[kMany]) - order.begin();
    // After those that were handed over before it, and what two threads do meanwhile.
    EXPECT_LE(written, static_cast<std::ptrdiff_t>(3 * FileThreads::kMostHanded));
    std::ranges::sort(order);
    EXPECT_EQ(std::ranges::adjacent_find(order), order.end()) << "each once";
}

TEST(FileThreads, what_was_withdrawn_never_runs) {
    Files files;
    constexpr std::size_t kMany = 200;
    std::vector<Counter> operations(kMany);
    std::vector<bool> withdrawn(kMany);
    const std::string octet = "x";
    for (std::size_t i = 0; i < kMany; ++i) {
        files.threads.submit({&operations[i],
                              FileThreads::Call::write,
                              files.file,
                              {const_cast<char*>(octet.data()), 1},
                              i,
                              0});
    }
    std::size_t gone = 0;
    for (std::size_t i = 0; i < kMany; i += 2) {
        withdrawn[i] = files.threads.withdraw(operations[i]);
        gone += withdrawn[i] ? 1 : 0;
    }
    EXPECT_GT(gone, 0U);
    while (files.done.size() < kMany - gone)
        files.wait();
    std::string octets(kMany, '-');
    const auto size = ::pread(files.file, octets.data(), octets.size(), 0);
    for (std::size_t i = 0; i < static_cast<std::size_t>(size); ++i)
        EXPECT_EQ(octets[i] == 'x', !withdrawn[i]) << i;
}

}  // namespace
}  // namespace core
