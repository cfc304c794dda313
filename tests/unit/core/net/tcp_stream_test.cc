// The same expectations on io_uring, on epoll and on the simulated network, orderly and ragged.
#include "core/net/tcp_stream.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/prng.h"
#include "core/net/connector.h"
#include "core/net/listener.h"
#include "core/runtime/task_group.h"
#include "tests/sim/sim_world.h"
#include "tests/unit/core/net/rig.h"

namespace core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::pause;
using test::Rig;

struct Ends {
    std::unique_ptr<TcpStream> client;
    std::unique_ptr<TcpStream> server;
};

std::unique_ptr<TcpStream> client_of(Shard& shard, const test::Pair& pair) {
    return std::make_unique<TcpStream>(shard, pair.client, pair.server_address,
                                       pair.client_address);
}

std::unique_ptr<TcpStream> server_of(Shard& shard, const test::Pair& pair) {
    return std::make_unique<TcpStream>(shard, pair.server, pair.client_address,
                                       pair.server_address);
}

Task<Ends> connected_streams(Shard& shard) {
    const test::Pair pair = co_await test::connected_pair(shard);
    Ends ends;
    ends.client = client_of(shard, pair);
    ends.server = server_of(shard, pair);
    co_return std::move(ends);
}

// Everything up to the end of the stream, or an error's number in `error`.
Task<std::string> read_all(ByteStream& stream, int& error) {
    std::string all;
    while (true) {
        const auto input = co_await stream.read();
        if (!input) {
            error = input.error().value();
            break;
        }
        if (input->empty()) break;
        all += *input;
        stream.consume(input->size());
    }
    co_return all;
}

Task<std::string> read_exactly(ByteStream& stream, std::size_t length) {
    std::string all;
    all.reserve(length);
    while (all.size() < length) {
        const auto input = co_await stream.read();
        if (!input || input->empty()) break;
        const std::size_t take = std::min(input->size(), length - all.size());
        all += input->substr(0, take);
        stream.consume(take);
    }
    co_return all;
}

std::string random_octets(std::size_t length, std::uint64_t seed) {
    Prng prng{seed};
    std::string octets(length, '\0');
    for (char& octet : octets)
        octet = static_cast<char>(prng.next());
    return octets;
}

class TcpStreamTest : public testing::TestWithParam<std::string> {
  protected:
    std::unique_ptr<Rig> rig = test::make_rig(GetParam());
    bool ragged() const { return GetParam() == "ragged"; }
};

Task<void> greet(Shard& shard, std::vector<std::string>& heard) {
    const Ends ends = co_await connected_streams(shard);
    auto written = co_await ends.client->write("EHLO client.example\r\n");
    EXPECT_TRUE(written);
    heard.push_back(co_await read_exactly(*ends.server, 21));
    const std::string first = "250-mx.example\r\n";
    const std::string second = "250 PIPELINING\r\n";
    const std::vector<iovec> parts{as_iovec(first), as_iovec(""), as_iovec(second)};
    written = co_await ends.server->write(parts);
    EXPECT_TRUE(written);
    heard.push_back(co_await read_exactly(*ends.client, first.size() + second.size()));
    EXPECT_EQ(ends.client->local(), ends.server->peer());
    EXPECT_EQ(ends.client->peer(), ends.server->local());
    co_await ends.client->close();
    int error = 0;
    heard.push_back(co_await read_all(*ends.server, error));
    EXPECT_EQ(error, 0);
    co_await ends.server->close();
}

TEST_P(TcpStreamTest, both_sides_hear_what_is_said) {
    std::vector<std::string> heard;
    rig->run(greet(rig->shard(), heard));
    EXPECT_EQ(heard, (std::vector<std::string>{"EHLO client.example\r\n",
                                               "250-mx.example\r\n250 PIPELINING\r\n", ""}));
}

Task<void> consume_in_bites(Shard& shard) {
    const Ends ends = co_await connected_streams(shard);
    co_await ends.client->write("abcdef");
    const std::string first = co_await read_exactly(*ends.server, 4);
    EXPECT_EQ(first, "abcd");
    const auto rest = co_await ends.server->read();  // what was not consumed is read again
    const bool usable = rest && !rest->empty();
    EXPECT_TRUE(usable);
    if (usable) EXPECT_EQ((*rest)[0], 'e');
    EXPECT_TRUE(ends.server->has_input());
    ends.server->consume(0);
    const auto again = co_await ends.server->read();
    if (usable) EXPECT_EQ(again->data(), rest->data());
    const std::string last = co_await read_exactly(*ends.server, 2);
    EXPECT_EQ(last, "ef");
    EXPECT_FALSE(ends.server->has_input());
    co_await ends.client->close();
    co_await ends.server->close();
}

TEST_P(TcpStreamTest, unconsumed_input_is_read_again) {
    rig->run(consume_in_bites(rig->shard()));
}

Task<void> read_slowly(Shard& shard, TcpStream& stream, std::string& all) {
    Prng prng{5};
    while (true) {
        const auto input = co_await stream.read();
        if (!input || input->empty()) break;
        const std::size_t take = 1 + prng.below(input->size());
        all += input->substr(0, take);
        stream.consume(take);
        if (prng.below(500) == 0) co_await pause(shard, milliseconds{1});
    }
}

// More parts than IOV_MAX and more octets than socket buffers hold, against a slow reader.
Task<void> write_much(Shard& shard, std::size_t parts_count, std::size_t part_size,
                      std::string& sent, std::string& received) {
    const Ends ends = co_await connected_streams(shard);
    TaskGroup readers(shard.reactor());
    readers.spawn(read_slowly(shard, *ends.server, received));
    shard.reactor().excuse_step();  // the test's own work
    sent = random_octets(parts_count * part_size, 11);
    std::vector<iovec> parts;
    for (std::size_t i = 0; i < parts_count; ++i) {
        parts.push_back(as_iovec(std::string_view(sent).substr(i * part_size, part_size)));
    }
    const auto written = co_await ends.client->write(parts);
    EXPECT_TRUE(written);
    co_await ends.client->close();
    co_await readers.close();
    co_await ends.server->close();
}

TEST_P(TcpStreamTest, writes_several_megabytes_in_thousands_of_parts) {
    std::string sent;
    std::string received;
    const std::size_t part_size = ragged() ? 100 : 1500;
    rig->run(write_much(rig->shard(), 3000, part_size, sent, received));
    EXPECT_EQ(sent.size(), 3000 * part_size);
    EXPECT_TRUE(sent == received);
}

Task<void> read_past_deadline(Shard& shard) {
    const Ends ends = co_await connected_streams(shard);
    const Instant start = shard.now();
    ends.client->set_deadline(start + milliseconds{30});
    auto input = co_await ends.client->read();
    EXPECT_FALSE(input);
    if (!input) EXPECT_EQ(input.error().value(), ETIMEDOUT);
    EXPECT_GE(shard.now() - start, milliseconds{30});
    EXPECT_LT(shard.now() - start, seconds{5});
    input = co_await ends.client->read();  // and so do later ones
    EXPECT_FALSE(input);
    const auto written = co_await ends.client->write("x");
    EXPECT_FALSE(written);
    ends.client->set_deadline(shard.now() + seconds{10});
    co_await ends.server->write("late");
    const std::string heard = co_await read_exactly(*ends.client, 4);
    EXPECT_EQ(heard, "late");
    const auto again = co_await ends.client->write("on");
    EXPECT_TRUE(again);
    const std::string answer = co_await read_exactly(*ends.server, 2);
    EXPECT_EQ(answer, "on");
    co_await ends.client->close();
    co_await ends.server->close();
}

TEST_P(TcpStreamTest, a_deadline_ends_a_pending_read_and_a_new_one_revives) {
    rig->run(read_past_deadline(rig->shard()));
}

Task<void> write_at(Shard& shard, TcpStream& stream, Instant when) {
    Event never(shard.reactor());
    co_await never.wait(when);
    const auto written = co_await stream.write("250 OK\r\n");
    EXPECT_TRUE(written);
}

Task<void> race_a_deadline(Shard& shard, int& in_time, int& late) {
    for (int i = -30; i <= 30; ++i) {
        const Ends ends = co_await connected_streams(shard);
        TaskGroup writers(shard.reactor());
        const Instant start = shard.now();
        ends.client->set_deadline(start + milliseconds{20});
        const auto delay = milliseconds{18} + std::chrono::microseconds{200 * i};
        writers.spawn(write_at(shard, *ends.server, start + delay));
        const auto input = co_await ends.client->read();
        ++(input ? in_time : late);
        if (!input) EXPECT_FALSE(ends.client->has_input());
        co_await writers.close();
        co_await ends.client->close();
        co_await ends.server->close();
    }
}

// The reply that comes in the turn in which the deadline passes has come.
TEST_P(TcpStreamTest, no_read_times_out_with_input_at_hand) {
    int in_time = 0;
    int late = 0;
    rig->run(race_a_deadline(rig->shard(), in_time, late));
    EXPECT_GT(in_time, 0);
    EXPECT_GT(late, 0);
}

Task<void> interrupt_later(Shard& shard, TcpStream& stream) {
    co_await pause(shard, milliseconds{5});
    stream.interrupt();
}

Task<void> interrupted_reads(Shard& shard) {
    const Ends ends = co_await connected_streams(shard);
    ends.client->interrupt();  // nobody reads: nothing to interrupt
    TaskGroup group(shard.reactor());
    group.spawn(interrupt_later(shard, *ends.client));
    const auto input = co_await ends.client->read();
    EXPECT_FALSE(input);
    if (!input) EXPECT_EQ(input.error().value(), EINTR);
    co_await group.close();
    co_await ends.server->write("and on");
    const std::string heard = co_await read_exactly(*ends.client, 6);
    EXPECT_EQ(heard, "and on");
    const auto written = co_await ends.client->write("good");
    EXPECT_TRUE(written);
    co_await ends.client->close();
    co_await ends.server->close();
}

TEST_P(TcpStreamTest, an_interrupted_read_harms_nothing) {
    rig->run(interrupted_reads(rig->shard()));
}

Task<void> move_deadlines(Shard& shard) {
    const Ends ends = co_await connected_streams(shard);
    const Instant start = shard.now();
    ends.client->set_deadline(start + milliseconds{20});
    ends.client->set_deadline(start + milliseconds{60});  // later
    auto input = co_await ends.client->read();
    EXPECT_FALSE(input);
    EXPECT_GE(shard.now() - start, milliseconds{60});
    const Instant second = shard.now();
    ends.client->set_deadline(second + seconds{60});
    ends.client->set_deadline(second + milliseconds{20});  // earlier
    input = co_await ends.client->read();
    EXPECT_FALSE(input);
    EXPECT_LT(shard.now() - second, seconds{5});
    ends.client->set_deadline(kNever);
    co_await ends.server->write("!");
    const std::string heard = co_await read_exactly(*ends.client, 1);
    EXPECT_EQ(heard, "!");
    co_await ends.client->close();
    co_await ends.server->close();
}

TEST_P(TcpStreamTest, deadlines_move_both_ways) {
    rig->run(move_deadlines(rig->shard()));
}

Task<void> write_past_deadline(Shard& shard) {
    const Ends ends = co_await connected_streams(shard);
    shard.reactor().excuse_step();           // the test's own work
    const std::string much(16U << 20, 'x');  // more than the kernel takes
    const Instant start = shard.now();
    ends.client->set_deadline(start + milliseconds{50});
    const auto written = co_await ends.client->write(much);  // nobody reads
    EXPECT_FALSE(written);
    if (!written) EXPECT_EQ(written.error().value(), ETIMEDOUT);
    EXPECT_LT(shard.now() - start, seconds{10});
    ends.client->set_deadline(shard.now() + seconds{10});
    const auto later = co_await ends.client->write("more");
    EXPECT_FALSE(later);  // cut in the middle: whatever came now would be out of place
    co_await ends.client->close();
    ends.server->reset_on_close();
    co_await ends.server->close();
}

TEST_P(TcpStreamTest, a_deadline_ends_a_pending_write_for_good) {
    rig->run(write_past_deadline(rig->shard()));
}

Task<void> abort_later(Shard& shard, ByteStream& stream) {
    co_await pause(shard, milliseconds{20});
    stream.abort();
    stream.abort();  // twice does no harm
}

Task<void> abort_pending_read(Shard& shard) {
    const Ends ends = co_await connected_streams(shard);
    TaskGroup group(shard.reactor());
    group.spawn(abort_later(shard, *ends.client));
    const auto input = co_await ends.client->read();
    EXPECT_FALSE(input);
    if (!input) EXPECT_EQ(input.error().value(), ECANCELED);
    ends.client->set_deadline(shard.now() + seconds{1});  // does not revive an aborted stream
    const auto later = co_await ends.client->read();
    EXPECT_FALSE(later);
    co_await group.close();
    co_await ends.client->close();
    co_await ends.server->close();
}

TEST_P(TcpStreamTest, abort_ends_a_pending_read) {
    rig->run(abort_pending_read(rig->shard()));
}

Task<void> abort_pending_write(Shard& shard) {
    const Ends ends = co_await connected_streams(shard);
    TaskGroup group(shard.reactor());
    {
        shard.reactor().excuse_step();  // the test's own work
        auto much = std::make_unique<std::string>(16U << 20, 'x');
        group.spawn(abort_later(shard, *ends.client));
        const auto written = co_await ends.client->write(*much);
        EXPECT_FALSE(written);
        if (!written) EXPECT_EQ(written.error().value(), ECANCELED);
        much.reset();  // the engine has let go of it, or asan says so
    }
    co_await pause(shard, milliseconds{20});
    co_await group.close();
    co_await ends.client->close();
    co_await ends.server->close();
}

TEST_P(TcpStreamTest, abort_ends_a_pending_write_and_lets_go_of_the_octets) {
    rig->run(abort_pending_write(rig->shard()));
}

Task<void> close_at_once(Shard& shard) {
    for (int i = 0; i < 50; ++i) {
        const Ends ends = co_await connected_streams(shard);
        if (i % 2 == 0) co_await ends.server->write(std::string_view("unread greeting\r\n"));
        if (i % 3 == 0) co_await pause(shard, milliseconds{3});
        co_await ends.client->close();  // a receive is in flight, perhaps with input on its way
        co_await ends.server->close();
    }
}

TEST_P(TcpStreamTest, closes_with_a_receive_in_flight) {
    rig->run(close_at_once(rig->shard()));
}

Task<void> peer_resets(Rig& rig, Shard& shard) {
    const test::Pair pair = co_await test::connected_pair(shard);
    const auto client = client_of(shard, pair);
    auto server = server_of(shard, pair);
    co_await server->write("550 ");
    const std::string heard = co_await read_exactly(*client, 4);
    EXPECT_EQ(heard, "550 ");
    server->reset_on_close();
    co_await server->close();
    const auto input = co_await client->read();
    EXPECT_FALSE(input);
    if (!input) EXPECT_EQ(input.error().value(), ECONNRESET);
    auto written = co_await client->write("QUIT\r\n");
    EXPECT_FALSE(written);
    co_await client->close();
    static_cast<void>(rig);
}

TEST_P(TcpStreamTest, a_reset_by_the_peer_is_an_error) {
    rig->run(peer_resets(*rig, rig->shard()));
}

Task<void> half_closed(Rig& rig, Shard& shard) {
    const test::Pair pair = co_await test::connected_pair(shard);
    const auto client = client_of(shard, pair);
    const auto server = server_of(shard, pair);
    co_await client->write("the end");
    rig.half_close(pair.client);
    int error = 0;
    const std::string heard = co_await read_all(*server, error);
    EXPECT_EQ(heard, "the end");
    EXPECT_EQ(error, 0);
    const auto again = co_await server->read();  // the end stays the end
    const bool still_ended = again && again->empty();
    EXPECT_TRUE(still_ended);
    const auto written = co_await server->write("not yet");
    EXPECT_TRUE(written);
    const std::string answer = co_await read_exactly(*client, 7);
    EXPECT_EQ(answer, "not yet");
    co_await server->close();
    co_await client->close();
}

TEST_P(TcpStreamTest, a_half_closed_connection_carries_the_other_way) {
    rig->run(half_closed(*rig, rig->shard()));
}

Task<void> write_to_the_gone(Shard& shard) {
    const Ends ends = co_await connected_streams(shard);
    co_await ends.server->close();
    IoResult<void> written;
    for (int i = 0; i < 100 && written; ++i) {
        written = co_await ends.client->write("are you there?");
        co_await pause(shard, milliseconds{2});
    }
    EXPECT_FALSE(written);
    co_await ends.client->close();
}

TEST_P(TcpStreamTest, writing_to_a_closed_peer_fails_in_the_end) {
    rig->run(write_to_the_gone(rig->shard()));
}

Task<void> write_all(TcpStream& stream, const std::string& octets, bool& done) {
    const auto written = co_await stream.write(octets);
    EXPECT_TRUE(written);
    done = true;
}

Task<void> hold_back(Shard& shard, std::size_t size, std::uint64_t& taken_while_idle,
                     bool& done_early, bool& identical) {
    const Ends ends = co_await connected_streams(shard);
    shard.reactor().excuse_step();  // the test's own work
    const std::string octets = random_octets(size, 3);
    TaskGroup writers(shard.reactor());
    bool done = false;
    const std::uint64_t before = shard.io().stats().receives;
    writers.spawn(write_all(*ends.client, octets, done));
    co_await pause(shard, milliseconds{300});
    taken_while_idle = shard.io().stats().receives - before;
    done_early = done;
    const std::string received = co_await read_exactly(*ends.server, octets.size());
    identical = received == octets;
    co_await writers.close();
    co_await ends.client->close();
    co_await ends.server->close();
}

TEST_P(TcpStreamTest, an_idle_reader_holds_few_buffers_and_the_writer_waits) {
    std::uint64_t taken = 0;
    bool done_early = true;
    bool identical = false;
    rig->run(hold_back(rig->shard(), ragged() ? 500'000 : 16U << 20, taken, done_early, identical));
    // Of 16,384 pieces. Pausing cancels a multishot receive: what the kernel filled before it saw
    // that, some dozens of these small buffers, comes on top of the limit.
    if (!ragged()) EXPECT_LE(taken, 128U);
    EXPECT_FALSE(done_early);
    EXPECT_TRUE(identical);
}

INSTANTIATE_TEST_SUITE_P(Backends, TcpStreamTest,
                         testing::Values("uring", "epoll", "sim", "ragged"),
                         [](const auto& parameter) { return parameter.param; });

// ---- With few buffers

Task<void> one_echo(Shard& shard, std::string octets, bool& same) {
    const Ends ends = co_await connected_streams(shard);
    TaskGroup group(shard.reactor());
    bool done = false;
    group.spawn(write_all(*ends.client, octets, done));
    co_await pause(shard, milliseconds{20});  // input piles up meanwhile
    const std::string heard = co_await read_exactly(*ends.server, octets.size());
    same = heard == octets;
    co_await group.close();
    co_await ends.client->close();
    co_await ends.server->close();
}

Task<void> many_echoes(Shard& shard, std::vector<char>& same) {
    TaskGroup group(shard.reactor());
    std::vector<std::unique_ptr<bool>> flags;
    for (std::size_t i = 0; i < same.size(); ++i) {
        flags.push_back(std::make_unique<bool>(false));
        group.spawn(one_echo(shard, random_octets(20'000, i), *flags.back()));
    }
    co_await group.close();
    for (std::size_t i = 0; i < same.size(); ++i)
        same[i] = *flags[i] ? 1 : 0;
}

class FewBuffers : public testing::TestWithParam<std::string> {};

TEST_P(FewBuffers, streams_go_on_after_the_buffers_were_exhausted) {
    const auto rig = test::make_rig(GetParam(), {.receive_buffers = 8, .receive_buffer_size = 256});
    std::vector<char> same(20, 0);
    rig->run(many_echoes(rig->shard(), same));
    EXPECT_EQ(same, std::vector<char>(20, 1));
    EXPECT_GT(rig->shard().io().stats().buffers_exhausted, 0U);
}

INSTANTIATE_TEST_SUITE_P(Backends, FewBuffers, testing::Values("uring", "epoll", "sim", "ragged"),
                         [](const auto& parameter) { return parameter.param; });

// ---- Input and deadline at the same moment

constexpr Duration kTick{1 << 20};  // of timers

Task<void> reply_at_the_deadline(Shard& shard, std::string& heard) {
    const Ends ends = co_await connected_streams(shard);
    TaskGroup writers(shard.reactor());
    const Instant now = shard.now();
    const Instant deadline{(now.time_since_epoch() / kTick + 20) * kTick};
    ends.client->set_deadline(deadline);
    writers.spawn(write_at(shard, *ends.server, deadline - kTick));  // a tick under way
    const auto input = co_await ends.client->read();
    EXPECT_EQ(shard.now(), deadline);
    if (input) heard = *input;
    co_await writers.close();
    co_await ends.client->close();
    co_await ends.server->close();
}

// Both are noticed in one turn of the loop, as after a process was stopped for a while.
TEST(TcpStreamDeadline, input_that_comes_with_it_is_read) {
    sim::SimWorld world{1};
    world.network().set_planner([](const sim::Opening&) {
        sim::LinkPlan plan;
        plan.latency_min = plan.latency_max = kTick;
        return plan;
    });
    std::string heard;
    EXPECT_TRUE(world.run(world.shard(), reply_at_the_deadline(world.shard(), heard)));
    EXPECT_EQ(heard, "250 OK\r\n");
}

// ---- A stream's life is checked

Task<void> forget_to_close(Shard& shard) {
    const Ends ends = co_await connected_streams(shard);
    co_await ends.server->close();
}

TEST(TcpStreamDeathTest, dying_unclosed_is_a_bug) {
    EXPECT_DEATH(
        {
            const auto rig = test::make_rig("sim");
            rig->run(forget_to_close(rig->shard()));
        },
        "handle_ == kNoHandle");
}

}  // namespace
}  // namespace core
