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

    void open() {
        const std::size_t here = at->id();
        if (++hops == goal) {
            PH_ASSERT(here == 0);
            arrived->set();
            return;
        }
        const std::size_t next = (here + 1) % shards->size();
        Shard* from = at;
        at = (*shards)[next];
        from->tell(next, [this] { open(); });
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
        shard.tell(0, [&token] { token.open(); });
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

// Each shard asks all others at once, and answers; the first to finish leaves the others alone.
struct Questions {
    std::atomic<int> answered{0};
    std::atomic<int> unanswered{0};
};

Task<std::size_t> double_later(Shard* shard, std::size_t number) {
    Event never(shard->reactor());
    co_await never.wait(shard->now() + std::chrono::microseconds{50});
    co_return 2 * number;
}

Task<void> ask_around(Questions& questions, Ring& ring, Shard& shard) {
    ring.shards[shard.id()] = &shard;
    ring.ready.fetch_add(1);
    Event tick(shard.reactor());
    while (ring.ready.load() < ring.shards.size())
        co_await tick.wait(shard.now() + std::chrono::milliseconds{1});
    for (std::size_t i = 0; i < 300; ++i) {
        const std::size_t to = i % ring.shards.size();
        Shard* const there = ring.shards[to];
        const auto id = co_await shard.ask(to, [there] { return there->id(); });
        const auto doubled = co_await shard.ask(to, [there, i] { return double_later(there, i); });
        PH_ASSERT(!id || *id == to);
        PH_ASSERT(!doubled || *doubled == 2 * i);
        questions.answered +=
            static_cast<int>(id.has_value()) + static_cast<int>(doubled.has_value());
        questions.unanswered +=
            static_cast<int>(!id.has_value()) + static_cast<int>(!doubled.has_value());
        if (shard.id() == 2 && i == 100) co_return;  // the others go on asking it
    }
}

TEST_P(RuntimeTest, every_question_gets_an_answer_or_hears_that_the_shard_has_ended) {
    Questions questions;
    Ring ring;
    ring.shards.resize(3);
    Runtime runtime(
        {.shards = 3, .engine = GetParam(), .receive_buffers = 16, .receive_buffer_size = 256});
    const auto result =
        runtime.run([&](Shard& shard) { return ask_around(questions, ring, shard); });
    ASSERT_TRUE(result) << result.error();
    EXPECT_EQ(questions.answered + questions.unanswered, 2 * (300 + 300 + 101));
    EXPECT_GE(questions.answered, 2 * (100 + 100 + 33));  // of oneself
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
