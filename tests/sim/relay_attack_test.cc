// A relay under attack from every side at once, in virtual time: strangers and clients that send
// and never read, drip, flood, come and wait, or all leave together; receivers that stop reading in
// the middle of a message, drip their replies, talk without end, or cut all their connections
// together. Honest mail beside them keeps its latency, before, amid and after, and what waited for
// the receivers is delivered once they are honest. A long step of the loop ends it, as any program
// (core/runtime/turn_watchdog.h). The relay has few and small receive buffers, and each link of the
// crowd little bandwidth, so that a crowd of two hundred can hold them all.
#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/net/connector.h"
#include "core/net/listener.h"
#include "tests/sim/sim_town.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const core::SocketAddress kRelay{core::IpAddress::v4(0x0a000001), 2525};
const std::string kAllowed = "192.0.2.0/24";
constexpr core::Duration kHonestLatency = seconds{2};
constexpr int kOfEachKind = 40;
constexpr int kFloods = 16;  // they keep the processor busy
constexpr std::uint64_t kCrowdOctetsPerSecond = 40'000;

core::SocketAddress client_at(std::uint32_t host) {
    return {core::IpAddress::v4(0xc0000200U + host), 0};  // in kAllowed
}
core::SocketAddress stranger_at(std::uint32_t host) {
    return {core::IpAddress::v4(0xc6120000U + host), 0};  // 198.18.0.0/15
}

std::string repeated(std::string_view text, std::size_t octets) {
    std::string all;
    while (all.size() < octets)
        all += text;
    return all;
}

// Hostile clients, each over a connection of its own, until end().
class Crowd {
  public:
    explicit Crowd(core::Shard& shard)
        : shard_(shard), over_(shard.reactor()), tasks_(shard.reactor()) {}

    // Says all of it, reads nothing, stays.
    void never_reads(core::SocketAddress from, std::string text) {
        tasks_.spawn(say_and_stay(from, std::move(text)));
    }
    void waits(core::SocketAddress from) { tasks_.spawn(say_and_stay(from, {})); }
    // An octet a second.
    void drips(core::SocketAddress from, std::string text) {
        tasks_.spawn(say_slowly(from, std::move(text)));
    }
    // As much as its link carries, again and again, and reads what comes.
    void floods(core::SocketAddress from, std::string text) {
        tasks_.spawn(say_without_end(from, std::move(text)));
    }
    // All come, and a second later all are cut, again and again.
    void leave_together(std::vector<core::SocketAddress> from) {
        tasks_.spawn(come_and_leave(std::move(from)));
    }
    core::Task<void> end() {
        over_.set();
        for (core::TcpStream* stream : streams_)
            stream->abort();
        co_await tasks_.close();
    }

  private:
    using Stream = std::unique_ptr<core::TcpStream>;

    core::Task<Stream> arrive(core::SocketAddress from) {
        auto opened = co_await core::connect(shard_, kRelay, from, shard_.now() + minutes{1});
        if (!opened) co_return nullptr;
        Stream stream = std::move(*opened);
        if (over_.is_set()) stream->abort();
        streams_.push_back(stream.get());
        co_return std::move(stream);
    }
    core::Task<void> leave(Stream stream) {
        std::erase(streams_, stream.get());
        co_await stream->close();
    }
    core::Task<bool> say(core::TcpStream* stream, std::string text) {
        const auto written = co_await stream->write(text);
        co_return written.has_value();
    }
    core::Task<void> say_and_stay(core::SocketAddress from, std::string text) {
        Stream stream = co_await arrive(from);
        if (stream == nullptr) co_return;
        if (!text.empty()) co_await say(stream.get(), std::move(text));
        co_await over_.wait();
        co_await leave(std::move(stream));
    }
    core::Task<void> say_slowly(core::SocketAddress from, std::string text) {
        Stream stream = co_await arrive(from);
        if (stream == nullptr) co_return;
        bool open = true;
        for (std::size_t i = 0; open && !over_.is_set(); i = (i + 1) % text.size()) {
            open = co_await say(stream.get(), std::string(1, text[i]));
            co_await over_.wait(shard_.now() + seconds{1});
        }
        co_await over_.wait();
        co_await leave(std::move(stream));
    }
    core::Task<void> say_without_end(core::SocketAddress from, std::string text) {
        while (!over_.is_set()) {
            Stream stream = co_await arrive(from);
            if (stream == nullptr) co_return;
            while (!over_.is_set() && co_await say(stream.get(), text)) {
                while (stream->has_input()) {
                    const auto input = co_await stream->read();
                    if (!input || input->empty()) break;
                    stream->consume(input->size());
                }
            }
            co_await leave(std::move(stream));
            co_await over_.wait(shard_.now() + milliseconds{100});
        }
    }
    core::Task<void> come_and_leave(std::vector<core::SocketAddress> from) {
        while (!over_.is_set()) {
            std::vector<Stream> here;
            for (const core::SocketAddress& address : from) {
                Stream stream = co_await arrive(address);
                if (stream != nullptr) here.push_back(std::move(stream));
            }
            co_await over_.wait(shard_.now() + seconds{1});
            for (Stream& stream : here) {
                stream->reset_on_close();
                co_await leave(std::move(stream));
            }
        }
    }

    core::Shard& shard_;
    core::Event over_;
    core::TaskGroup tasks_;
    std::vector<core::TcpStream*> streams_;
};

// A client that keeps to RFC 5321, one message over each connection. True when it got its 250.
class HonestClient {
  public:
    HonestClient(core::Shard& shard, SimRelay& relay) : shard_(shard), relay_(relay) {}

    core::Task<void> send(std::string recipient, std::size_t size, bool& taken) {
        const std::string content = SimRelay::content_of(++number_, size);
        relay_.announce(recipient, content);
        auto opened =
            co_await core::connect(shard_, kRelay, client_at(7), shard_.now() + minutes{1});
        if (!opened) co_return;
        core::TcpStream& stream = **opened;
        stream.set_deadline(shard_.now() + minutes{1});
        std::string input;
        std::string stuffed = content;
        for (std::size_t at = 0; (at = stuffed.find("\r\n.", at)) != std::string::npos; at += 4)
            stuffed.insert(at + 2, ".");
        const std::vector<std::string> steps{
            "EHLO honest.example\r\n", "MAIL FROM:<news@sender.example>\r\n",
            "RCPT TO:<" + recipient + ">\r\n", "DATA\r\n", stuffed + ".\r\n"};
        int code = co_await reply(stream, input);
        for (std::size_t i = 0; i < steps.size() && code >= 200 && code < 400; ++i) {
            const auto said = co_await stream.write(steps[i]);
            code = said ? co_await reply(stream, input) : 0;
            taken = i + 1 == steps.size() && code == 250;
        }
        co_await stream.write(std::string_view("QUIT\r\n"));
        co_await stream.close();
    }

  private:
    // The code of the next reply; 0 when there is none.
    static core::Task<int> reply(core::ByteStream& from, std::string& input) {
        while (true) {
            const auto end = input.find("\r\n");
            if (end == std::string::npos) {
                const auto more = co_await from.read();
                if (!more || more->empty()) co_return 0;
                input += *more;
                from.consume(more->size());
                continue;
            }
            const bool last = end < 4 || input[3] == ' ';
            int code = 0;
            std::from_chars(input.data(), input.data() + 3, code);
            input.erase(0, end + 2);
            if (last) co_return code;
        }
    }

    core::Shard& shard_;
    SimRelay& relay_;
    std::uint64_t number_ = 0;
};

struct AttackedTown : Town {
    AttackedTown()
        : Town({.limits = {.connection_limit = 20, .max_deliveries_per_connection = 5},
                .intervals = {seconds{20}}},
               1, {.receive_buffers = 64, .receive_buffer_size = 1024}),
          client(world.outside(), relay) {
        for (const int number : {1, 2, 3, 4, 5}) {
            const std::string name = std::to_string(number) + ".example";
            zone.add_mx("d" + name, 10, "mx" + name);
            add_server(number, {.script = hostile(number)});
        }
        world.network().set_planner([](const Opening& opening) {
            LinkPlan plan;
            const bool honest = opening.client.ip == client_at(7).ip;
            if (opening.server != kRelay || honest) return plan;
            plan.octets_per_second = kCrowdOctetsPerSecond;
            plan.window = 4096;
            return plan;
        });
        relay.listen(kRelay, kAllowed);
    }

    Script hostile(int number) {
        switch (number) {
            case 2:  // never reads the content
                return [](const Moment& moment) -> Verdict {
                    if (moment.stage != Stage::data) return {};
                    return {.reply = "354 go on", .ending = Verdict::Ending::stop_reading};
                };
            case 3:  // drips
                return [](const Moment& moment) -> Verdict {
                    if (moment.stage != Stage::rcpt) return {};
                    return {.reply = "250 " + std::string(400, 'x'), .drip = seconds{1}};
                };
            case 4:  // talks without end
                return [](const Moment& moment) -> Verdict {
                    if (moment.stage != Stage::mail) return {};
                    return {.reply = repeated("250-" + std::string(480, 'x') + "\r\n", 200'000) +
                                     "250 done"};
                };
            case 5:  // cuts all connections at each full second
                return [](const Moment& moment) -> Verdict {
                    if (moment.stage != Stage::rcpt) return {};
                    const core::Duration since = moment.now.time_since_epoch();
                    return {.ending = Verdict::Ending::reset,
                            .delay = seconds{1} - since % seconds{1}};
                };
            default:
                return {};
        }
    }

    void become_honest() {
        for (const auto& server : servers)
            server->options().script = {};
    }

    void send(const std::string& recipient, std::size_t size = 2000) {
        bool taken = false;
        EXPECT_TRUE(world.run(world.outside(), client.send(recipient, size, taken), minutes{2}));
        EXPECT_TRUE(taken) << recipient;
    }
    // Twenty messages for each hostile receiver; more than a window to those that never read.
    void send_to_hostile() {
        for (int i = 0; i < 20; ++i) {
            for (const int number : {2, 3, 4, 5}) {
                send("w" + std::to_string(i) + "@d" + std::to_string(number) + ".example",
                     number == 2 ? 100'000 : 2000);
            }
        }
    }
    // From the client's connection to the end of the content at the receiver.
    void expect_honest_latency(const std::string& name) {
        const SimMx& receiver = *servers.front();
        for (int i = 0; i < 20; ++i) {
            const std::string recipient = name + std::to_string(i) + "@d1.example";
            const core::Instant begun = world.clock().now();
            const std::size_t before = receiver.ledger().size();
            send(recipient);
            ASSERT_TRUE(
                world.run_until([&] { return receiver.ledger().size() > before; }, minutes{10}))
                << recipient;
            EXPECT_EQ(receiver.ledger().back().recipient, recipient);
            EXPECT_LT(receiver.ledger().back().when - begun, kHonestLatency) << recipient;
            world.run_for(milliseconds{200});
        }
    }

    HonestClient client;
};

// What each kind of the crowd says.
const std::string kOpening = "EHLO crowd.example\r\nMAIL FROM:<news@sender.example>\r\n";

void surround(Crowd& crowd) {
    const std::string recipients = kOpening + repeated("RCPT TO:<u@d1.example>\r\n", 80'000);
    const std::string nothing = repeated("NOOP\r\n", 6000);
    const std::string garbage = repeated("\x01\xff garbage\r\n", 6000);
    std::vector<core::SocketAddress> leaving;
    for (std::uint32_t i = 0; i < kOfEachKind; ++i) {
        crowd.never_reads(stranger_at(i), recipients);
        crowd.never_reads(client_at(100), recipients);
        crowd.drips(i % 2 == 0 ? stranger_at(100 + i) : client_at(101), kOpening + nothing);
        if (i < kFloods) {
            crowd.floods(i % 2 == 0 ? stranger_at(200 + i) : client_at(102),
                         i % 4 < 2 ? nothing : garbage);
        }
        crowd.waits(i % 2 == 0 ? stranger_at(300 + i) : client_at(103));
        leaving.push_back(i % 2 == 0 ? stranger_at(400 + i) : client_at(104));
    }
    crowd.leave_together(leaving);
}

// H2, M2, M6: everything at once.
TEST(RelayUnderAttack, from_every_side_delivers_honest_mail_in_time) {
    AttackedTown town;
    SimBackend& backend = town.world.backend(town.world.shard());
    town.expect_honest_latency("before");
    EXPECT_EQ(backend.stats().copied, 0U);

    town.send_to_hostile();
    Crowd crowd(town.world.outside());
    surround(crowd);
    town.world.run_for(seconds{3});
    EXPECT_GE(town.world.network().connections_to(kRelay), 4U * kOfEachKind);
    for (const int number : {2, 3})
        EXPECT_GE(town.world.network().connections_to(address_of(number)), 2U) << number;
    town.expect_honest_latency("amid");
    EXPECT_GT(backend.stats().copied, 0U) << "the crowd is too small to matter";
    EXPECT_LE(town.world.shard().held_input().total(), 1U << 20);

    EXPECT_TRUE(town.world.run(town.world.outside(), crowd.end(), minutes{1}));
    town.expect_honest_latency("after");
    town.become_honest();
    EXPECT_TRUE(town.relay.run_until_drained(hours{6}));
    town.expect_clean();
    EXPECT_EQ(town.world.shard().held_input().total(), 0U);
    EXPECT_EQ(backend.free_buffers(), 64U);
}

// The relay's end does not wait for a crowd that stays.
TEST(RelayUnderAttack, from_every_side_ends_in_time) {
    AttackedTown town;
    town.send_to_hostile();
    Crowd crowd(town.world.outside());
    surround(crowd);
    town.world.run_for(seconds{3});
    const core::Instant asked = town.world.clock().now();
    EXPECT_TRUE(town.relay.close(seconds{30}));
    EXPECT_LT(town.world.clock().now() - asked, minutes{1});
    EXPECT_TRUE(town.world.run(town.world.outside(), crowd.end(), minutes{1}));
    EXPECT_EQ(town.world.shard().held_input().total(), 0U);
}

}  // namespace
}  // namespace sim
