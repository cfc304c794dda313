// What the backends of the kernel promise below the streams, on io_uring and on epoll alike.
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "core/io/probe.h"
#include "tests/unit/core/io/backend_fixture.h"

namespace core {
namespace {

using std::chrono::milliseconds;
using test::Counter;
using test::make_backend;
using test::Socketpair;
using test::wait_for;
using test::wait_until;

const SocketAddress kLoopback{IpAddress::v4(0x7f000001), 0};

class BackendTest : public testing::TestWithParam<std::string> {
  protected:
    SystemClock clock;
};

iovec as_iovec(std::string_view octets) {
    return {const_cast<char*>(octets.data()), octets.size()};
}

// ---- Receiving

TEST_P(BackendTest, exhausted_buffers_end_the_receive_and_recycled_ones_serve_again) {
    const auto io = make_backend(GetParam(), clock, {.count = 4, .size = 64});
    const Socketpair pair;
    const std::string text(64 * 10, 'y');
    ASSERT_EQ(::write(pair.ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    std::size_t received = 0;
    int exhausted = 0;
    while (received < text.size()) {
        Counter receive;
        io->start_receive(pair.ends[0], receive, Intake::stream);
        ASSERT_TRUE(wait_until(*io, [&] {
            return !receive.in_flight() || (received + receive.seen.size() * 64 >= text.size());
        }));
        for (const Completion& completion : receive.seen) {
            if (completion.buffer == kNoBuffer) {
                EXPECT_EQ(completion.result, -ENOBUFS);
                ++exhausted;
                continue;
            }
            received += static_cast<std::size_t>(completion.result);
            io->recycle(completion.buffer);
        }
        receive.seen.clear();
        if (receive.in_flight()) {
            io->cancel(receive);
            ASSERT_TRUE(wait_for(*io, receive));
        }
    }
    EXPECT_EQ(received, text.size());
    EXPECT_GE(exhausted, 2);
    EXPECT_EQ(io->stats().buffers_exhausted, static_cast<std::uint64_t>(exhausted));
}

TEST_P(BackendTest, cancel_before_and_after_submission_ends_the_operation_once) {
    const auto io = make_backend(GetParam(), clock);
    const Socketpair pair;
    for (const bool submitted_before : {false, true}) {
        Counter receive;
        io->start_receive(pair.ends[0], receive, Intake::stream);
        if (submitted_before) io->wait(Instant::min());
        io->cancel(receive);
        io->cancel(receive);
        ASSERT_TRUE(wait_for(*io, receive));
        ASSERT_EQ(receive.seen.size(), 1U);
        EXPECT_EQ(receive.seen[0].result, -ECANCELED);
        io->cancel(receive);  // of one that has ended: nothing
        io->wait(Instant::min());
        EXPECT_EQ(receive.seen.size(), 1U);
    }
}

TEST_P(BackendTest, shutdown_completes_what_is_pending) {
    const auto io = make_backend(GetParam(), clock);
    const Socketpair pair;
    Counter receive;
    io->start_receive(pair.ends[0], receive, Intake::stream);
    io->wait(Instant::min());
    io->shutdown(pair.ends[0]);
    ASSERT_TRUE(wait_for(*io, receive));
    EXPECT_EQ(receive.seen.back().result, 0);
}

// ---- Waiting

TEST_P(BackendTest, waits_as_long_as_asked) {
    const auto io = make_backend(GetParam(), clock);
    const Instant start = clock.now();
    io->wait(start + milliseconds{30});
    EXPECT_GE(clock.now() - start, milliseconds{29});
    EXPECT_LT(clock.now() - start, std::chrono::seconds{5});
}

TEST_P(BackendTest, another_thread_ends_the_wait_any_number_of_times) {
    const auto io = make_backend(GetParam(), clock);
    for (int i = 0; i < 20; ++i) {
        const Instant start = clock.now();
        const std::jthread other([&io, i] {
            if (i % 2 == 0) std::this_thread::sleep_for(milliseconds{1});
            io->wake();
        });
        io->wait(start + std::chrono::seconds{20});
        ASSERT_LT(clock.now() - start, std::chrono::seconds{10});
    }
}

TEST_P(BackendTest, a_wake_before_the_wait_is_not_lost) {
    const auto io = make_backend(GetParam(), clock);
    io->wait(Instant::min());
    const Instant start = clock.now();
    io->wake();
    io->wait(start + std::chrono::seconds{20});
    EXPECT_LT(clock.now() - start, std::chrono::seconds{10});
}

// ---- Connections

TEST_P(BackendTest, listening_twice_without_reuseport_fails_as_a_value) {
    const auto io = make_backend(GetParam(), clock);
    const int taken = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_storage storage{};
    const socklen_t length = SocketAddress{IpAddress::v4(0x7f000001), 0}.to_native(storage);
    ASSERT_EQ(::bind(taken, reinterpret_cast<sockaddr*>(&storage), length), 0);
    ASSERT_EQ(::listen(taken, 1), 0);
    const auto result = io->listen(*io->local_address(taken), Sharing::join);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().value(), EADDRINUSE);
    ::close(taken);
}

TEST_P(BackendTest, a_receive_takes_no_more_than_asked_and_the_rest_later) {
    const auto io = make_backend(GetParam(), clock);
    const Socketpair pair;
    const std::string text(3 * kSip, 's');
    ASSERT_EQ(::write(pair.ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    std::size_t received = 0;
    for (int i = 0; i < 3; ++i) {
        Counter sip;
        io->start_receive(pair.ends[0], sip, Intake::sip);
        ASSERT_TRUE(wait_for(*io, sip));
        ASSERT_EQ(sip.seen.size(), 1U);
        EXPECT_EQ(sip.result(), static_cast<int>(kSip));
        received += static_cast<std::size_t>(sip.result());
        io->recycle(sip.seen[0].buffer);
    }
    EXPECT_EQ(received, text.size());
    Counter more;
    io->start_receive(pair.ends[0], more, Intake::buffer);
    io->wait(clock.now() + milliseconds{5});
    EXPECT_TRUE(more.in_flight());
    ::shutdown(pair.ends[1], SHUT_WR);
    ASSERT_TRUE(wait_for(*io, more));
    EXPECT_EQ(more.result(), 0);
}

TEST_P(BackendTest, nothing_completes_before_the_wait) {
    const auto io = make_backend(GetParam(), clock);
    const Socketpair pair;
    ASSERT_EQ(::write(pair.ends[1], "x", 1), 1);
    Counter receive;
    Counter send;
    const std::string text = "y";
    const std::vector<iovec> parts{as_iovec(text)};
    io->start_receive(pair.ends[0], receive, Intake::buffer);
    io->start_send(pair.ends[0], parts, send);
    EXPECT_TRUE(receive.seen.empty() && send.seen.empty());
    ASSERT_TRUE(wait_for(*io, receive));
    ASSERT_TRUE(wait_for(*io, send));
    io->recycle(receive.seen[0].buffer);
}

// ---- Sending

TEST_P(BackendTest, a_send_that_finds_no_room_waits_and_is_cancelled) {
    const auto io = make_backend(GetParam(), clock);
    const Socketpair pair;
    {
        const std::string much(8U << 20, 'm');
        std::size_t sent = 0;
        while (true) {
            Counter send;
            const std::vector<iovec> parts{as_iovec(std::string_view(much).substr(sent))};
            io->start_send(pair.ends[0], parts, send);
            io->wait(clock.now() + milliseconds{20});
            if (!send.in_flight()) {
                ASSERT_GT(send.result(), 0);
                sent += static_cast<std::size_t>(send.result());
                ASSERT_LT(sent, much.size());
                continue;
            }
            io->cancel(send);
            ASSERT_TRUE(wait_for(*io, send));
            ASSERT_EQ(send.seen.size(), 1U);
            // io_uring tells what had left before, if anything had.
            EXPECT_TRUE(send.result() == -ECANCELED || send.result() > 0);
            break;
        }
    }  // nobody reads the octets any more, or asan says so
    io->wait(clock.now() + milliseconds{5});
}

TEST_P(BackendTest, a_send_goes_on_when_there_is_room) {
    const auto io = make_backend(GetParam(), clock);
    const Socketpair pair;
    const std::string first(3000, 'a');
    const std::string second(5U << 20, 'b');
    std::vector<iovec> parts{as_iovec(first), as_iovec(second)};
    std::size_t received = 0;
    std::jthread reader([&] {
        std::vector<char> space(1U << 16);
        while (true) {
            const ssize_t got = ::read(pair.ends[1], space.data(), space.size());
            if (got <= 0) break;
            received += static_cast<std::size_t>(got);
        }
    });
    std::size_t left = first.size() + second.size();
    while (left > 0) {
        Counter send;
        io->start_send(pair.ends[0], parts, send);
        ASSERT_TRUE(wait_for(*io, send));
        ASSERT_GT(send.result(), 0);
        auto gone = static_cast<std::size_t>(send.result());
        left -= gone;
        while (gone > 0) {
            const std::size_t step = std::min(gone, parts.front().iov_len);
            parts.front() = {static_cast<char*>(parts.front().iov_base) + step,
                             parts.front().iov_len - step};
            gone -= step;
            if (parts.front().iov_len == 0) parts.erase(parts.begin());
        }
    }
    ::shutdown(pair.ends[0], SHUT_WR);
    reader.join();
    EXPECT_EQ(received, first.size() + second.size());
}

// ---- Accepting and connecting

TEST_P(BackendTest, accepts_one_or_many_and_can_be_cancelled) {
    const auto io = make_backend(GetParam(), clock);
    const auto listener = io->listen(kLoopback, Sharing::first);
    ASSERT_TRUE(listener);
    const SocketAddress there = *io->local_address(*listener);
    std::vector<Handle> handles;
    std::vector<std::unique_ptr<Counter>> dials;
    for (int i = 0; i < 40; ++i) {
        handles.push_back(*io->open_socket(there, &kLoopback));
        dials.push_back(std::make_unique<Counter>());
        io->start_connect(handles.back(), there, *dials.back());
    }
    for (const auto& dial : dials) {
        ASSERT_TRUE(wait_for(*io, *dial));
        EXPECT_EQ(dial->result(), 0);
    }
    Counter one;
    io->start_accept(*listener, one, Shots::one);
    ASSERT_TRUE(wait_for(*io, one));
    ASSERT_EQ(one.seen.size(), 1U);
    handles.push_back(one.result());
    Counter many;
    io->start_accept(*listener, many, Shots::many);
    ASSERT_TRUE(wait_until(*io, [&] { return many.seen.size() == 39; }));
    EXPECT_TRUE(many.in_flight());
    for (const Completion& completion : many.seen) {
        EXPECT_TRUE(completion.more);
        handles.push_back(completion.result);
    }
    io->cancel(many);
    ASSERT_TRUE(wait_for(*io, many));
    EXPECT_EQ(many.result(), -ECANCELED);
    for (const Handle handle : handles)
        io->close(handle, false);
    io->close(*listener, false);
}

TEST_P(BackendTest, a_connect_under_way_can_be_cancelled_and_its_handle_closed) {
    const auto io = make_backend(GetParam(), clock);
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);  // whose queue is full
    sockaddr_storage storage{};
    socklen_t length = kLoopback.to_native(storage);
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&storage), length), 0);
    ASSERT_EQ(::listen(listener, 0), 0);
    const SocketAddress there = *io->local_address(listener);
    length = there.to_native(storage);
    const int filler = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_EQ(::connect(filler, reinterpret_cast<sockaddr*>(&storage), length), 0);
    const auto handle = io->open_socket(there, nullptr);
    ASSERT_TRUE(handle);
    Counter dial;
    io->start_connect(*handle, there, dial);
    io->wait(clock.now() + milliseconds{20});
    EXPECT_TRUE(dial.in_flight());
    io->cancel(dial);
    ASSERT_TRUE(wait_for(*io, dial));
    ASSERT_EQ(dial.seen.size(), 1U);
    EXPECT_EQ(dial.result(), -ECANCELED);
    io->close(*handle, false);
    io->wait(clock.now() + milliseconds{5});
    ::close(filler);
    ::close(listener);
}

// Numbers of handles come back at once: what was of the one before does not reach the next.
TEST_P(BackendTest, handles_that_come_and_go_are_not_mixed_up) {
    const auto io = make_backend(GetParam(), clock, {.count = 64, .size = 256});
    const auto listener = io->listen(kLoopback, Sharing::first);
    ASSERT_TRUE(listener);
    const SocketAddress there = *io->local_address(*listener);
    Counter accept;
    io->start_accept(*listener, accept, Shots::many);
    for (std::size_t i = 0; i < 200; ++i) {
        const auto handle = io->open_socket(there, nullptr);
        Counter dial;
        io->start_connect(*handle, there, dial);
        ASSERT_TRUE(
            wait_until(*io, [&] { return !dial.in_flight() && accept.seen.size() == i + 1; }));
        ASSERT_EQ(dial.result(), 0);
        const Handle accepted = accept.result();
        const std::string text = "number " + std::to_string(i);
        const std::vector<iovec> parts{as_iovec(text)};
        Counter send;
        Counter receive;
        io->start_receive(*handle, receive, Intake::stream);
        if (i % 3 != 0) {
            io->start_send(accepted, parts, send);
            ASSERT_TRUE(wait_until(*io, [&] { return !receive.seen.empty(); }));
            ASSERT_EQ(io->buffer(receive.seen[0].buffer,
                                 static_cast<std::size_t>(receive.seen[0].result)),
                      text);
            io->recycle(receive.seen[0].buffer);
        }
        if (i % 2 == 0) ASSERT_EQ(::write(accepted, "late", 4), 4);
        io->cancel(receive);
        ASSERT_TRUE(wait_for(*io, receive));
        ASSERT_TRUE(wait_for(*io, send));
        for (std::size_t j = i % 3 != 0 ? 1 : 0; j < receive.seen.size(); ++j) {
            if (receive.seen[j].buffer != kNoBuffer) io->recycle(receive.seen[j].buffer);
        }
        io->close(*handle, i % 5 == 0);
        io->close(accepted, false);
    }
    io->cancel(accept);
    ASSERT_TRUE(wait_for(*io, accept));
    io->close(*listener, false);
}

// ---- Handles of others

TEST_P(BackendTest, polls_once_each_time) {
    const auto io = make_backend(GetParam(), clock);
    int ends[2]{};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    Counter poll;
    io->start_poll(ends[1], POLLOUT, poll);
    ASSERT_TRUE(wait_for(*io, poll));
    EXPECT_EQ(poll.result(), POLLOUT);
    for (int i = 0; i < 3; ++i) {
        io->start_poll(ends[0], POLLIN, poll);
        io->wait(clock.now() + milliseconds{2});
        EXPECT_TRUE(poll.in_flight());
        ASSERT_EQ(::write(ends[1], "x", 1), 1);
        ASSERT_TRUE(wait_for(*io, poll));
        EXPECT_EQ(poll.result(), POLLIN);
        char octet = 0;
        ASSERT_EQ(::read(ends[0], &octet, 1), 1);
    }
    io->start_poll(ends[0], POLLIN, poll);
    io->wait(Instant::min());
    io->cancel(poll);
    // Its number may come back, and be polled, before the end of the first poll was told.
    ::close(ends[0]);
    ::close(ends[1]);
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    Counter next;
    io->start_poll(ends[0], POLLIN, next);
    ASSERT_TRUE(wait_for(*io, poll));
    EXPECT_EQ(poll.result(), -ECANCELED);
    EXPECT_TRUE(next.in_flight());
    ::close(ends[1]);
    ASSERT_TRUE(wait_for(*io, next));
    EXPECT_NE(next.result() & POLLHUP, 0);
    ::close(ends[0]);
}

// ---- Files

class BackendFiles : public BackendTest {
  public:
    BackendFiles() {
        const std::string where = (std::filesystem::temp_directory_path() / "backendXXXXXX");
        std::vector<char> name(where.begin(), where.end());
        name.push_back('\0');
        file = ::mkstemp(name.data());
        PH_ASSERT(file >= 0);
        ::unlink(name.data());
    }
    ~BackendFiles() override { ::close(file); }
    BackendFiles(const BackendFiles&) = delete;
    BackendFiles& operator=(const BackendFiles&) = delete;
    int file;
};

TEST_P(BackendFiles, are_written_synced_and_read) {
    const auto io = make_backend(GetParam(), clock);
    Counter operation;
    io->start_write(file, std::string_view("hello "), 0, false, operation);
    EXPECT_TRUE(operation.seen.empty());
    ASSERT_TRUE(wait_for(*io, operation));
    EXPECT_EQ(operation.result(), 6);
    io->start_write(file, std::string_view("world"), 6, true, operation);
    ASSERT_TRUE(wait_for(*io, operation));
    EXPECT_EQ(operation.result(), 5);
    io->start_sync(file, operation);
    ASSERT_TRUE(wait_for(*io, operation));
    EXPECT_EQ(operation.result(), 0);
    std::string octets(32, '-');
    io->start_read(file, octets, 3, operation);
    ASSERT_TRUE(wait_for(*io, operation));
    ASSERT_EQ(operation.result(), 8);
    EXPECT_EQ(octets.substr(0, 8), "lo world");
    io->start_read(file, octets, 100, operation);  // past the end
    ASSERT_TRUE(wait_for(*io, operation));
    EXPECT_EQ(operation.result(), 0);
}

TEST_P(BackendFiles, errors_are_values) {
    const auto io = make_backend(GetParam(), clock);
    const int reader = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(reader, 0);
    Counter operation;
    io->start_write(reader, std::string_view("x"), 0, true, operation);
    ASSERT_TRUE(wait_for(*io, operation));
    EXPECT_EQ(operation.result(), -EBADF);
    ::close(reader);
}

TEST_P(BackendFiles, many_at_once_each_end_once_and_may_be_cancelled) {
    constexpr std::size_t kMany = 500;
    const auto io = make_backend(GetParam(), clock);
    ASSERT_EQ(::ftruncate(file, 1 << 20), 0);
    std::vector<std::string> octets(kMany, std::string(512, '-'));
    std::vector<std::unique_ptr<Counter>> reads;
    for (std::size_t i = 0; i < kMany; ++i) {
        reads.push_back(std::make_unique<Counter>());
        io->start_read(file, octets[i], 512 * i, *reads[i]);
        if (i % 3 == 0) io->cancel(*reads[i / 2]);
        if (i % 50 == 0) io->wait(Instant::min());
    }
    for (const auto& read : reads) {
        ASSERT_TRUE(wait_for(*io, *read));
        ASSERT_EQ(read->seen.size(), 1U);
        EXPECT_TRUE(read->result() == 512 || read->result() == -ECANCELED);
    }
}

INSTANTIATE_TEST_SUITE_P(Backends, BackendTest, testing::Values("uring", "epoll"),
                         [](const auto& parameter) { return parameter.param; });
INSTANTIATE_TEST_SUITE_P(Backends, BackendFiles, testing::Values("uring", "epoll"),
                         [](const auto& parameter) { return parameter.param; });

// ---- Which one

TEST(Probe, this_machine_can_run_io_uring) {
    EXPECT_EQ(io_uring_refusal(), std::nullopt);
}

TEST(Probe, asks_io_uring_first_unless_told_otherwise) {
    const auto automatic = choose_engine(IoChoice::automatic);
    ASSERT_TRUE(automatic);
    EXPECT_EQ(automatic->engine, Engine::io_uring);
    EXPECT_EQ(automatic->reason, "probed");
    const auto insisted = choose_engine(IoChoice::io_uring);
    ASSERT_TRUE(insisted);
    EXPECT_EQ(insisted->reason, "configured");
    const auto named = choose_engine(IoChoice::epoll);
    ASSERT_TRUE(named);
    EXPECT_EQ(named->engine, Engine::epoll);
    EXPECT_EQ(named->reason, "configured");
    EXPECT_EQ(named->refusal, "");
}

TEST(Probe, refusals_are_explained_in_one_line) {
    for (const int error : {EPERM, ENOSYS, ENOMEM, EINVAL, EOPNOTSUPP, EIO}) {
        const std::string sentence = explain_io_uring_error(error);
        EXPECT_GT(sentence.size(), 30U);
        EXPECT_EQ(sentence.find('\n'), std::string::npos);
    }
    EXPECT_NE(explain_io_uring_error(ENOSYS).find("seccomp"), std::string::npos);
}

}  // namespace
}  // namespace core
