#include "core/io/runtime.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "core/runtime/event.h"

namespace core {
namespace {

struct Token {
    Shard* at = nullptr;
    std::vector<Shard*>* shards = nullptr;
    int hops = 0;
    int goal = 0;
    Event* arrived = nullptr;

    static void open(void* context, void* item) {
        static_cast<void>(context);
        auto& token = *static_cast<Token*>(item);
        const std::size_t here = token.at->id();
        if (++token.hops == token.goal) {
            PH_ASSERT(here == 0);
            token.arrived->set();
            return;
        }
        const std::size_t next = (here + 1) % token.shards->size();
        Shard* from = token.at;
        token.at = (*token.shards)[next];
        from->send(next, {open, nullptr, item});
    }
};

struct Ring {
    std::vector<Shard*> shards;
    std::atomic<std::size_t> ready{0};
    std::atomic<bool> done{false};
    int hops = 0;
};

Task<void> pass_a_token(Ring& ring, Shard& shard) {
    ring.shards[shard.id()] = &shard;
    ring.ready.fetch_add(1);
    Event tick(shard.reactor());
    while (ring.ready.load() < ring.shards.size()) {
        co_await tick.wait(shard.now() + std::chrono::milliseconds{1});
    }
    if (shard.id() == 0) {
        Event arrived(shard.reactor());
        Token token{&shard, &ring.shards, 0, 10'000 * static_cast<int>(ring.shards.size()) + 1,
                    &arrived};
        shard.send(0, {Token::open, nullptr, &token});
        co_await arrived.wait();
        ring.hops = token.hops;
        ring.done = true;
    }
    while (!ring.done.load()) {
        co_await tick.wait(shard.now() + std::chrono::milliseconds{5});
    }
}

class RuntimeTest : public testing::TestWithParam<Engine> {};

TEST_P(RuntimeTest, shards_wake_each_other) {
    Ring ring;
    ring.shards.resize(2);
    Runtime runtime({.shards = 2,
                     .engine = GetParam(),
                     .receive_buffers = 16,
                     .receive_buffer_size = 256,
                     .seed = 1});
    const auto result = runtime.run([&ring](Shard& shard) { return pass_a_token(ring, shard); });
    ASSERT_TRUE(result) << result.error();
    EXPECT_EQ(ring.hops, 20'001);
}

Task<void> return_at_once() {
    co_return;
}

TEST_P(RuntimeTest, ends_when_every_main_has_returned) {
    std::atomic<int> started{0};
    Runtime runtime(
        {.shards = 3, .engine = GetParam(), .receive_buffers = 16, .receive_buffer_size = 256});
    const auto result = runtime.run([&started](Shard&) {
        ++started;
        return return_at_once();
    });
    ASSERT_TRUE(result) << result.error();
    EXPECT_EQ(started, 3);
}

Task<void> hear_signals(Shard& shard, std::vector<int>& heard) {
    SignalSource signals(shard, {SIGUSR1, SIGUSR2});
    ::kill(::getpid(), SIGUSR1);
    heard.push_back(co_await signals.next());
    ::kill(::getpid(), SIGUSR2);
    heard.push_back(co_await signals.next());
    signals.stop();
    heard.push_back(co_await signals.next());
}

TEST_P(RuntimeTest, signals_arrive_as_values) {
    block_signals({SIGUSR1, SIGUSR2});
    std::vector<int> heard;
    Runtime runtime(
        {.shards = 1, .engine = GetParam(), .receive_buffers = 16, .receive_buffer_size = 256});
    const auto result = runtime.run([&heard](Shard& shard) { return hear_signals(shard, heard); });
    ASSERT_TRUE(result) << result.error();
    EXPECT_EQ(heard, (std::vector{SIGUSR1, SIGUSR2, 0}));
}

INSTANTIATE_TEST_SUITE_P(Engines, RuntimeTest, testing::Values(Engine::io_uring, Engine::epoll),
                         [](const auto& parameter) {
                             return std::string(name_of(parameter.param));
                         });

TEST(Runtime, counts_the_cpus_it_may_use) {
    EXPECT_GE(available_cpus(), 1U);
    EXPECT_LE(available_cpus(), std::thread::hardware_concurrency());
}

}  // namespace
}  // namespace core
