// The io_uring backend below the streams: limits of its queues, cancellation, waking.
#include "core/io/uring_backend.h"

#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io/preflight.h"

namespace core {
namespace {

using std::chrono::milliseconds;

class Counter final : public Operation {
  public:
    std::vector<Completion> seen;

  private:
    void complete(const Completion& completion) override { seen.push_back(completion); }
};

struct Socketpair {
    Socketpair() { PH_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); }
    ~Socketpair() {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    Socketpair(const Socketpair&) = delete;
    Socketpair& operator=(const Socketpair&) = delete;
    int ends[2]{};
};

class UringBackendTest : public testing::Test {
  protected:
    SystemClock clock;

    std::unique_ptr<UringBackend> create(UringOptions options) {
        auto created = UringBackend::create(options, clock);
        PH_ASSERT(created.has_value());
        return std::move(*created);
    }
    // Turns until the condition holds; gives up after some seconds.
    template <typename Condition>
    bool wait_until(UringBackend& io, Condition condition) {
        const Instant end = clock.now() + std::chrono::seconds{10};
        while (!condition()) {
            if (clock.now() > end) return false;
            io.wait(clock.now() + milliseconds{20});
        }
        return true;
    }
};

TEST_F(UringBackendTest, this_machine_can_run_it) {
    EXPECT_EQ(io_uring_unavailable(), std::nullopt);
}

TEST_F(UringBackendTest, refusals_are_explained_in_one_line) {
    for (const int error : {EPERM, ENOSYS, ENOMEM, EINVAL, EIO}) {
        const std::string sentence = explain_io_uring_error(error);
        EXPECT_GT(sentence.size(), 30U);
        EXPECT_EQ(sentence.find('\n'), std::string::npos);
    }
    EXPECT_NE(explain_io_uring_error(ENOSYS).find("seccomp"), std::string::npos);
}

TEST_F(UringBackendTest, tiny_queues_overflow_and_lose_nothing) {
    constexpr std::size_t kSockets = 300;
    const auto io = create({.submission_entries = 8,
                            .completion_entries = 16,
                            .receive_buffers = 512,
                            .receive_buffer_size = 256});
    std::vector<std::unique_ptr<Socketpair>> pairs;
    std::vector<std::unique_ptr<Counter>> receives;
    for (std::size_t i = 0; i < kSockets; ++i) {
        pairs.push_back(std::make_unique<Socketpair>());
        receives.push_back(std::make_unique<Counter>());
        io->start_receive(pairs[i]->ends[0], *receives[i],
                          Intake::stream);  // far more than submission entries
    }
    io->wait(Instant::min());
    for (std::size_t i = 0; i < kSockets; ++i) {
        const std::string text = "number " + std::to_string(i);
        ASSERT_GT(::write(pairs[i]->ends[1], text.data(), text.size()), 0);
        ::shutdown(pairs[i]->ends[1], SHUT_WR);
    }
    // A multishot receive that finds no room for its completion ends early: it is started again.
    const auto ended = [](const Counter& one) {
        return !one.in_flight() && !one.seen.empty() && one.seen.back().result == 0;
    };
    EXPECT_TRUE(wait_until(*io, [&] {
        std::size_t at_end = 0;
        for (std::size_t i = 0; i < kSockets; ++i) {
            if (ended(*receives[i]))
                ++at_end;
            else if (!receives[i]->in_flight())
                io->start_receive(pairs[i]->ends[0], *receives[i], Intake::stream);
        }
        return at_end == kSockets;
    }));
    for (std::size_t i = 0; i < kSockets; ++i) {
        const auto& seen = receives[i]->seen;
        ASSERT_EQ(seen.size(), 2U);
        EXPECT_EQ(io->buffer(seen[0].buffer, static_cast<std::size_t>(seen[0].result)),
                  "number " + std::to_string(i));
        EXPECT_EQ(seen[1].result, 0);
        EXPECT_FALSE(seen[1].more);
    }
    EXPECT_GT(io->stats().overflows, 0U);
}

TEST_F(UringBackendTest, exhausted_buffers_end_the_receive_and_recycled_ones_serve_again) {
    const auto io = create({.submission_entries = 8,
                            .completion_entries = 64,
                            .receive_buffers = 4,
                            .receive_buffer_size = 64});
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
            ASSERT_TRUE(wait_until(*io, [&] { return !receive.in_flight(); }));
        }
    }
    EXPECT_EQ(received, text.size());
    EXPECT_GE(exhausted, 2);
    EXPECT_EQ(io->stats().buffers_exhausted, static_cast<std::uint64_t>(exhausted));
}

TEST_F(UringBackendTest, cancel_before_and_after_submission_ends_the_operation_once) {
    const auto io = create({.submission_entries = 8, .receive_buffers = 8});
    const Socketpair pair;
    for (const bool submitted_before : {false, true}) {
        Counter receive;
        io->start_receive(pair.ends[0], receive, Intake::stream);
        if (submitted_before) io->wait(Instant::min());
        io->cancel(receive);
        io->cancel(receive);
        ASSERT_TRUE(wait_until(*io, [&] { return !receive.in_flight(); }));
        ASSERT_EQ(receive.seen.size(), 1U);
        EXPECT_EQ(receive.seen[0].result, -ECANCELED);
        io->cancel(receive);  // of one that has ended: nothing
        io->wait(Instant::min());
        EXPECT_EQ(receive.seen.size(), 1U);
    }
}

TEST_F(UringBackendTest, shutdown_completes_what_is_pending) {
    const auto io = create({.submission_entries = 8, .receive_buffers = 8});
    const Socketpair pair;
    Counter receive;
    io->start_receive(pair.ends[0], receive, Intake::stream);
    io->wait(Instant::min());
    io->shutdown(pair.ends[0]);
    ASSERT_TRUE(wait_until(*io, [&] { return !receive.in_flight(); }));
    EXPECT_EQ(receive.seen.back().result, 0);
}

TEST_F(UringBackendTest, waits_as_long_as_asked) {
    const auto io = create({.submission_entries = 8, .receive_buffers = 8});
    const Instant start = clock.now();
    io->wait(start + milliseconds{30});
    EXPECT_GE(clock.now() - start, milliseconds{29});
    EXPECT_LT(clock.now() - start, std::chrono::seconds{5});
}

TEST_F(UringBackendTest, another_thread_ends_the_wait_any_number_of_times) {
    const auto io = create({.submission_entries = 8, .receive_buffers = 8});
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

TEST_F(UringBackendTest, a_wake_before_the_wait_is_not_lost) {
    const auto io = create({.submission_entries = 8, .receive_buffers = 8});
    io->wait(Instant::min());
    const Instant start = clock.now();
    io->wake();
    io->wait(start + std::chrono::seconds{20});
    EXPECT_LT(clock.now() - start, std::chrono::seconds{10});
}

TEST_F(UringBackendTest, one_enter_carries_many_operations) {
    constexpr std::size_t kSockets = 100;
    const auto io = create({.submission_entries = 256, .receive_buffers = 256});
    std::vector<std::unique_ptr<Socketpair>> pairs;
    std::vector<std::unique_ptr<Counter>> sends;
    const std::string text = "250 OK\r\n";
    const std::vector<iovec> parts{{const_cast<char*>(text.data()), text.size()}};
    for (std::size_t i = 0; i < kSockets; ++i) {
        pairs.push_back(std::make_unique<Socketpair>());
        sends.push_back(std::make_unique<Counter>());
    }
    io->wait(Instant::min());
    const std::uint64_t before = io->stats().enters;
    for (std::size_t i = 0; i < kSockets; ++i) {
        io->start_send(pairs[i]->ends[0], parts, *sends[i]);
    }
    EXPECT_TRUE(wait_until(*io, [&] { return !sends.back()->in_flight(); }));
    EXPECT_LE(io->stats().enters - before, 3U);
    for (const auto& send : sends) {
        ASSERT_EQ(send->seen.size(), 1U);
        EXPECT_EQ(send->seen[0].result, 8);
    }
}

TEST_F(UringBackendTest, listening_twice_without_reuseport_fails_as_a_value) {
    const auto io = create({.submission_entries = 8, .receive_buffers = 8});
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

}  // namespace
}  // namespace core
