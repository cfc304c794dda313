// A crowd of hostile peers on every side of the relay, beside honest mail: peers that send and
// never read, that drip, flood, come and wait, come and leave, and servers that stop reading in the
// middle of a message and talk on. Honest mail keeps its usual latency, no step of the loop is long
// (the watchdog of debug builds ends the test otherwise), and the relay comes to its end in time.
// Few and small receive buffers, so that a crowd of this size could hold all of them.
#include <functional>
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
const std::string kOpening = "EHLO crowd.example\r\nMAIL FROM:<news@sender.example>\r\n";

std::string repeated(std::string_view text, std::size_t octets) {
    std::string all;
    while (all.size() < octets)
        all += text;
    return all;
}

// What hostile clients do, each over a connection of its own, until the test is over.
class Crowd {
  public:
    explicit Crowd(core::Shard& shard)
        : shard_(shard), over_(shard.reactor()), tasks_(shard.reactor()) {}

    void never_read(int count) {
        const std::string much = kOpening + repeated("RCPT TO:<u@one.example>\r\n", 200'000);
        for (int i = 0; i < count; ++i)
            tasks_.spawn(say_and_stay(much));
    }
    void wait(int count) {
        for (int i = 0; i < count; ++i)
            tasks_.spawn(say_and_stay({}));
    }
    void drip(int count) {
        for (int i = 0; i < count; ++i)
            tasks_.spawn(say_slowly());
    }
    void flood(int count) {
        for (int i = 0; i < count; ++i)
            tasks_.spawn(say_again_and_again());
    }
    void come_and_leave(int count) { tasks_.spawn(all_at_once(count)); }

    core::Task<void> end() {
        over_.set();
        for (core::TcpStream* stream : streams_)
            stream->abort();
        co_await tasks_.close();
    }

  private:
    core::Task<std::unique_ptr<core::TcpStream>> arrive() {
        auto connected =
            co_await core::connect(shard_, kRelay, std::nullopt, shard_.now() + minutes{1});
        if (!connected) co_return nullptr;
        std::unique_ptr<core::TcpStream> stream = std::move(*connected);
        if (over_.is_set()) stream->abort();
        streams_.push_back(stream.get());
        co_return std::move(stream);
    }
    core::Task<void> leave(std::unique_ptr<core::TcpStream> stream) {
        std::erase(streams_, stream.get());
        co_await stream->close();
    }

    core::Task<void> say_and_stay(std::string text) {
        auto stream = co_await arrive();
        if (stream == nullptr) co_return;
        if (!text.empty()) co_await stream->write(text);
        co_await over_.wait();
        co_await leave(std::move(stream));
    }
    core::Task<void> say_slowly() {
        const std::string text = kOpening + repeated("NOOP\r\n", 10'000);
        auto stream = co_await arrive();
        if (stream == nullptr) co_return;
        for (std::size_t i = 0; i < text.size() && !over_.is_set(); ++i) {
            const auto written = co_await stream->write(std::string_view(text).substr(i, 1));
            if (!written) break;
            co_await over_.wait(shard_.now() + seconds{1});
        }
        co_await leave(std::move(stream));
    }
    core::Task<void> say_again_and_again() {
        const std::string text = repeated("EHLO crowd.example\r\n", 20'000);
        while (!over_.is_set()) {
            auto stream = co_await arrive();
            if (stream == nullptr) break;
            co_await stream->write(text);
            co_await over_.wait(shard_.now() + milliseconds{200});
            co_await leave(std::move(stream));
        }
    }
    core::Task<void> all_at_once(int count) {
        while (!over_.is_set()) {
            std::vector<std::unique_ptr<core::TcpStream>> here;
            for (int i = 0; i < count; ++i) {
                auto stream = co_await arrive();
                if (stream == nullptr) break;
                here.push_back(std::move(stream));
            }
            co_await over_.wait(shard_.now() + seconds{1});
            for (auto& stream : here) {
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

// Says 354, reads no more and talks on.
class MuteServer {
  public:
    MuteServer(core::Shard& shard, core::SocketAddress address)
        : listener_(shard), tasks_(shard.reactor()) {
        PH_ASSERT(listener_.open(address).has_value());
        tasks_.spawn(serve());
    }
    core::Task<void> end() {
        over_ = true;
        listener_.stop();
        for (core::TcpStream* stream : streams_)
            stream->abort();
        co_await tasks_.close();
        co_await listener_.close();
    }
    int talking = 0;

  private:
    core::Task<void> serve() {
        while (auto stream = co_await listener_.accept())
            tasks_.spawn(talk(std::move(stream)));
    }
    core::Task<void> talk(std::unique_ptr<core::TcpStream> stream) {
        streams_.push_back(stream.get());
        const std::string line = "250-2.0.0 " + std::string(480, 'x') + "\r\n";
        std::string heard;
        co_await stream->write("220 mute.example\r\n");
        bool open = true;
        while (open && !heard.contains("DATA\r\n")) {
            const auto input = co_await stream->read();
            open = input.has_value() && !input->empty();
            if (!open) break;
            heard = *input;
            stream->consume(input->size());
            if (heard.contains("EHLO")) co_await stream->write("250-mute.example\r\n250 SIZE\r\n");
            if (heard.contains("MAIL")) co_await stream->write("250 2.1.0 fine\r\n");
            if (heard.contains("RCPT")) co_await stream->write("250 2.1.5 fine\r\n");
        }
        if (open) co_await stream->write("354 go on\r\n");
        if (open) ++talking;
        while (open && !over_)
            open = (co_await stream->write(line)).has_value();
        std::erase(streams_, stream.get());
        co_await stream->close();
    }

    core::Listener listener_;
    core::TaskGroup tasks_;
    std::vector<core::TcpStream*> streams_;
    bool over_ = false;
};

std::string dot_stuffed(const std::string& content) {
    std::string stuffed;
    bool line_start = true;
    for (const char octet : content) {
        if (line_start && octet == '.') stuffed += '.';
        stuffed += octet;
        line_start = octet == '\n';
    }
    return stuffed + ".\r\n";
}

// One honest message over a connection of its own; `took` stays zero when it was not taken.
core::Task<void> send_one(core::Shard& shard, std::string recipient, std::string content,
                          core::Duration& took) {
    const core::Instant begun = shard.now();
    auto connected = co_await core::connect(shard, kRelay, std::nullopt, begun + minutes{5});
    if (!connected) co_return;
    core::TcpStream& stream = **connected;
    stream.set_deadline(begun + minutes{5});
    const std::string stuffed = dot_stuffed(content);
    const std::vector<std::string> steps{"EHLO honest.example\r\n",
                                         "MAIL FROM:<news@sender.example>\r\n",
                                         "RCPT TO:<" + recipient + ">\r\n",
                                         "DATA\r\n",
                                         stuffed,
                                         "QUIT\r\n"};
    std::string heard;
    std::size_t next = 0;
    while (true) {
        const auto input = co_await stream.read();
        if (!input || input->empty()) break;
        heard += *input;
        stream.consume(input->size());
        const std::size_t last = heard.rfind("\r\n", heard.size() - 3);
        const std::size_t line = last == std::string::npos ? 0 : last + 2;
        if (!heard.ends_with("\r\n") || heard.size() < line + 4 || heard[line + 3] == '-') continue;
        if (next == 5 && heard.substr(line).starts_with("250 ")) took = shard.now() - begun;
        if (next < steps.size()) co_await stream.write(steps[next++]);
    }
    co_await stream.close();
}

struct CrowdTown : Town {
    CrowdTown() : Town(options(), 1, {.receive_buffers = 64, .receive_buffer_size = 1024}) {
        zone.add_mx("one.example", 10, "mx1.example");
        add_server(1);
        zone.add_mx("mute.example", 10, "mx9.example");
        zone.add_address("mx9.example", address_of(9).ip);
        relay.listen(kRelay);
    }
    static RelayOptions options() {
        RelayOptions options;
        options.limits.connection_limit = 100;
        options.limits.max_deliveries_per_connection = 1;
        return options;
    }
    // The longest time from a connection's beginning to its 250, and to delivery.
    void expect_usual_latency(const std::string& name) {
        for (int i = 0; i < 20; ++i) {
            const std::string recipient = name + std::to_string(i) + "@one.example";
            const std::string content = SimRelay::content_of(static_cast<std::uint64_t>(i), 3000);
            relay.announce(recipient, content);
            core::Duration took{};
            EXPECT_TRUE(world.run(world.outside(),
                                  send_one(world.outside(), recipient, content, took), minutes{6}));
            EXPECT_GT(took, core::Duration{}) << recipient << " was not taken";
            EXPECT_LT(took, seconds{1}) << recipient;
            const auto delivered = [&] {
                const auto events = relay.events_of(recipient);
                return !events.empty() && events.back().type == "Delivery";
            };
            EXPECT_TRUE(world.run_until(delivered, seconds{2})) << recipient;
        }
    }
};

TEST(RelayUnderAttack, by_crowds_of_every_kind_leaves_honest_mail_its_latency) {
    CrowdTown town;
    core::Shard& outside = town.world.outside();
    MuteServer mute(outside, address_of(9));
    Crowd crowd(outside);
    town.expect_usual_latency("before");
    for (int i = 0; i < 60; ++i) {
        town.relay.inject(0, {"m" + std::to_string(i) + "@mute.example"}, 300'000);
    }
    EXPECT_TRUE(town.world.run_until([&mute] { return mute.talking >= 50; }, minutes{1}));
    crowd.never_read(140);
    crowd.wait(100);
    crowd.drip(20);
    crowd.flood(10);
    crowd.come_and_leave(50);
    town.world.run_for(seconds{5});
    town.expect_usual_latency("amid");
    EXPECT_GT(town.world.backend(town.world.shard()).stats().copied, 0U);
    EXPECT_LE(town.world.shard().held_input().total(), 16U << 20);

    // Stopping does not wait for the crowd.
    const core::Instant asked = town.world.clock().now();
    EXPECT_TRUE(town.relay.close());
    EXPECT_LT(town.world.clock().now() - asked, minutes{2});
    EXPECT_TRUE(town.world.run(outside, crowd.end(), hours{1}));
    EXPECT_TRUE(town.world.run(outside, mute.end(), hours{1}));
    EXPECT_EQ(town.world.shard().held_input().total(), 0U);
}

}  // namespace
}  // namespace sim
