// Input that nobody reads: it does not keep others from being read, and what it takes is counted.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/prng.h"
#include "core/net/tcp_stream.h"
#include "core/runtime/task_group.h"
#include "tests/unit/core/net/rig.h"

namespace core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::pause;

struct Ends {
    std::unique_ptr<TcpStream> client;
    std::unique_ptr<TcpStream> server;
};

Task<Ends> connected_streams(Shard& shard, Party party) {
    const test::Pair pair = co_await test::connected_pair(shard);
    Ends ends;
    ends.client =
        std::make_unique<TcpStream>(shard, pair.client, pair.server_address, pair.client_address);
    ends.server = std::make_unique<TcpStream>(shard, pair.server, pair.client_address,
                                              pair.server_address, party);
    co_return std::move(ends);
}

Task<std::string> read_exactly(ByteStream& stream, std::size_t length) {
    std::string all;
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

// H2: peers that send and are not read took every buffer of the shard, and nobody was read.
Task<void> talk_to_nobody(TcpStream& stream, const std::string& octets) {
    co_await stream.write(octets);  // until it is cut, unless the kernel has room for all of it
}

Task<void> echo_among(Shard& shard, Party party, int unread, bool looking,
                      std::size_t& unread_octets, Duration& took) {
    std::vector<Ends> crowd;
    TaskGroup writers(shard.reactor());
    shard.reactor().excuse_step();  // the test's own work
    const std::string much = random_octets(400'000, 4);
    for (int i = 0; i < unread; ++i) {
        crowd.push_back(co_await connected_streams(shard, party));
        writers.spawn(talk_to_nobody(*crowd.back().client, much));
        // Reads one piece and never says that it is done with it.
        if (looking) co_await crowd.back().server->read();
    }
    co_await pause(shard, milliseconds{50});
    const HeldInput& held = shard.held_input();
    unread_octets = held.of(party);
    const Instant begun = shard.now();
    const Ends honest = co_await connected_streams(shard, Party::client);
    for (int i = 0; i < 10; ++i) {
        co_await honest.client->write("NOOP\r\n");
        const std::string heard = co_await read_exactly(*honest.server, 6);
        EXPECT_EQ(heard, "NOOP\r\n");
    }
    took = shard.now() - begun;
    co_await honest.client->close();
    co_await honest.server->close();
    for (Ends& ends : crowd)
        ends.client->abort();
    co_await writers.close();
    for (Ends& ends : crowd) {
        co_await ends.client->close();
        co_await ends.server->close();
    }
    EXPECT_EQ(held.total(), 0U);
}

class UnreadInput : public testing::TestWithParam<std::string> {
  protected:
    void expect_others_are_read(Party party, bool looking) {
        const auto rig =
            test::make_rig(GetParam(), {.receive_buffers = 64, .receive_buffer_size = 4096});
        std::size_t held = 0;
        Duration took{};
        rig->run(echo_among(rig->shard(), party, 100, looking, held, took));
        const std::size_t each =
            2 * InputPieces::kMost[static_cast<std::size_t>(party)].octets + 64 * 4096U / 8;
        EXPECT_LE(held, 100 * each);
        const bool simulated = GetParam() != "uring" && GetParam() != "epoll";
        if (simulated) EXPECT_LE(took, seconds{1});  // virtual time
        EXPECT_GT(rig->shard().io().stats().copied, 0U);
    }
};

TEST_P(UnreadInput, of_strangers_leaves_buffers_for_others) {
    expect_others_are_read(Party::stranger, false);
}

TEST_P(UnreadInput, of_servers_leaves_buffers_for_others) {
    expect_others_are_read(Party::server, false);
}

TEST_P(UnreadInput, that_readers_look_at_leaves_buffers_for_others) {
    expect_others_are_read(Party::client, true);
}

INSTANTIATE_TEST_SUITE_P(Backends, UnreadInput, testing::Values("uring", "epoll", "sim", "ragged"),
                         [](const auto& parameter) { return parameter.param; });

// What all streams of a party hold has a cap: beyond it a stream is received from when it is empty.
Task<void> fill_share(Shard& shard, std::size_t& most) {
    HeldInput& held = shard.held_input();
    held.add(Party::client, HeldInput::kMost[1]);  // others
    const Ends ends = co_await connected_streams(shard, Party::client);
    shard.reactor().excuse_step();  // the test's own work
    const std::string octets = random_octets(100'000, 9);
    TaskGroup writers(shard.reactor());
    writers.spawn(talk_to_nobody(*ends.client, octets));
    co_await pause(shard, milliseconds{50});
    std::string received;
    while (received.size() < octets.size()) {
        const auto input = co_await ends.server->read();
        EXPECT_TRUE(input);
        if (!input) break;
        most = std::max(most, input->size());
        received += *input;
        ends.server->consume(input->size());
    }
    EXPECT_TRUE(received == octets);
    held.remove(Party::client, HeldInput::kMost[1]);
    co_await writers.close();
    co_await ends.client->close();
    co_await ends.server->close();
}

TEST_P(UnreadInput, beyond_the_share_of_a_party_is_taken_in_sips) {
    const auto rig =
        test::make_rig(GetParam(), {.receive_buffers = 64, .receive_buffer_size = 4096});
    std::size_t most = 0;
    rig->run(fill_share(rig->shard(), most));
    EXPECT_LE(most, 4096U);
    EXPECT_EQ(rig->shard().held_input().total(), 0U);
}

}  // namespace
}  // namespace core
