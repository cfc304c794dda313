// What only the io_uring backend has: limits of its queues, one kernel entry for many operations.
// What it has in common with epoll: backend_test.cc.
#include "core/io/uring_backend.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/core/io/backend_fixture.h"

namespace core {
namespace {

using test::Counter;
using test::Socketpair;
using test::wait_until;

class UringBackendTest : public testing::Test {
  protected:
    SystemClock clock;

    std::unique_ptr<UringBackend> create(UringOptions options) {
        auto created = UringBackend::create(options, clock);
        PH_ASSERT(created.has_value());
        return std::move(*created);
    }
};

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

}  // namespace
}  // namespace core
