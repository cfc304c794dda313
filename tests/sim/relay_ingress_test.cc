// The whole way over SMTP on both sides: a client that injects over a bad network, the relay on two
// shards, a server. Whatever was answered with 250 arrives; a connection that is cut anywhere costs
// nothing but a repetition by the client.
#include <charconv>
#include <string>

#include <gtest/gtest.h>

#include "core/net/connector.h"
#include "tests/sim/sim_town.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const core::SocketAddress kRelay{core::IpAddress::v4(0x0a000001), 2525};
const core::SocketAddress kMx{core::IpAddress::v4(0xc6336419), 25};

enum class Manner : std::uint8_t { lock_step, groups, chunks, everything_at_once };

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

// Injects messages first..last, each until it is answered with 250, over as many connections as
// that takes.
class Client {
  public:
    Client(core::Shard& shard, SimRelay& relay, Manner manner)
        : shard_(shard), relay_(relay), manner_(manner) {}

    core::Task<void> run(int first, int last) {
        int next = first;
        while (next <= last) {
            ++connections;
            auto connected =
                co_await core::connect(shard_, kRelay, std::nullopt, shard_.now() + minutes{1});
            if (!connected) continue;
            stream_ = connected->get();
            input_.clear();
            stream_->set_deadline(shard_.now() + hours{1});
            if (co_await reply() == 220 && co_await say("EHLO client.example\r\n") &&
                co_await reply() == 250) {
                while (next <= last && co_await send(next))
                    ++next;
            }
            if (next > last && co_await say("QUIT\r\n")) co_await reply();
            co_await stream_->close();
        }
    }

    int connections = 0;

  private:
    core::Task<bool> say(std::string text) {
        const auto written = co_await stream_->write(text);
        co_return written.has_value();
    }

    // The code of the next reply; 0 when there is none.
    core::Task<int> reply() {
        while (true) {
            const auto end = input_.find("\r\n");
            if (end != std::string::npos) {
                const bool last = input_.size() > 3 && input_[3] == ' ';
                int code = 0;
                std::from_chars(input_.data(), input_.data() + 3, code);
                input_.erase(0, end + 2);
                if (last) co_return code;
                continue;
            }
            const auto more = co_await stream_->read();
            if (!more || more->empty()) co_return 0;
            input_ += *more;
            stream_->consume(more->size());
        }
    }

    core::Task<bool> send(int number) {
        const std::string recipient = "u" + std::to_string(number) + "@one.example";
        const std::string content = SimRelay::content_of(static_cast<std::uint64_t>(number), 300);
        relay_.announce(recipient, content);
        const std::string mail = "MAIL FROM:<news@sender.example>\r\n";
        const std::string rcpt = "RCPT TO:<" + recipient + ">\r\n";
        std::vector<std::string> parts;
        std::vector<int> wanted{250, 250, 354, 250};
        switch (manner_) {
            case Manner::lock_step:
                parts = {mail, rcpt, "DATA\r\n", dot_stuffed(content)};
                break;
            case Manner::groups:
                parts = {mail + rcpt + "DATA\r\n", dot_stuffed(content)};
                break;
            case Manner::chunks: {
                const std::size_t half = content.size() / 2;
                parts = {mail + rcpt + "BDAT " + std::to_string(half) + "\r\n" +
                         content.substr(0, half) + "BDAT " + std::to_string(content.size() - half) +
                         " LAST\r\n" + content.substr(half)};
                wanted = {250, 250, 250, 250};
                break;
            }
            case Manner::everything_at_once:  // RFC 2920 forbids it after DATA; some do it
                parts = {mail + rcpt + "DATA\r\n" + dot_stuffed(content)};
                break;
        }
        std::size_t answered = 0;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            if (!co_await say(parts[i])) co_return false;
            // Replies to all but the last command of a dialogue in steps.
            const std::size_t until = i + 1 == parts.size() ? wanted.size()
                                      : parts.size() == 2   ? 3
                                                            : i + 1;
            for (; answered < until; ++answered) {
                if (co_await reply() != wanted[answered]) co_return false;
            }
        }
        co_return true;
    }

    core::Shard& shard_;
    SimRelay& relay_;
    Manner manner_;
    core::ByteStream* stream_ = nullptr;
    std::string input_;
};

struct Result {
    std::size_t receptions = 0;
    std::size_t deliveries = 0;
    int connections = 0;
};

Result inject_over(std::uint64_t seed, Manner manner, const SimNetwork::Planner& planner,
                   int messages) {
    SimWorld world(seed, {.shards = 2});
    SimZone zone;
    zone.add_mx("one.example", 10, "mx.one.example");
    zone.add_address("mx.one.example", kMx.ip);
    SimMx mx(world, kMx, {});
    mx.start();
    SimRelay relay(world, zone, {});
    world.network().set_planner(planner);
    relay.listen(kRelay);
    Client client(world.outside(), relay, manner);
    EXPECT_TRUE(world.run(world.outside(), client.run(1, messages), hours{5}));
    EXPECT_TRUE(relay.run_until_drained(hours{5}));
    const bool closed = relay.close();
    mx.stop();
    const bool stopped = world.run_until([&mx] { return mx.idle(); }, hours{1});
    EXPECT_TRUE(closed && stopped);
    if (!closed || !stopped) std::abort();  // tasks refer to what would be destroyed
    EXPECT_EQ(world.running_tasks(), 0U);
    for (const std::string& one : relay.audit({&mx}))
        ADD_FAILURE() << one << ", seed " << seed;
    for (int i = 1; i <= messages; ++i) {
        const auto events = relay.events_of("u" + std::to_string(i) + "@one.example");
        EXPECT_FALSE(events.empty()) << "the client was told 250 for message " << i;
    }
    return {relay.count("Reception"), relay.count("Delivery"), client.connections};
}

class RelayIngress : public testing::TestWithParam<Manner> {};

TEST_P(RelayIngress, what_comes_in_goes_out_once) {
    const Result result = inject_over(1, GetParam(), nullptr, 50);
    EXPECT_EQ(result.receptions, 50U);
    EXPECT_EQ(result.deliveries, 50U);
    EXPECT_EQ(result.connections, 1);
}

TEST_P(RelayIngress, in_pieces_of_any_size) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        const Result result = inject_over(
            seed, GetParam(),
            [](const Opening&) {
                LinkPlan plan;
                plan.ragged = true;
                plan.largest_segment = 20;
                plan.window = 100;
                return plan;
            },
            5);
        EXPECT_EQ(result.receptions, 5U);
        EXPECT_EQ(result.deliveries, 5U);
    }
}

// The client's first connection is cut at every octet of what it says, then of what it hears.
TEST_P(RelayIngress, cut_at_any_octet) {
    for (const bool at_server : {true, false}) {
        const std::uint64_t length = at_server ? 950 : 500;
        for (std::uint64_t octet = 0; octet < length; ++octet) {
            const Result result = inject_over(
                octet + 1, GetParam(),
                [&](const Opening& opening) {
                    LinkPlan plan;
                    plan.ragged = octet % 3 == 0;
                    if (opening.ordinal > 0) return plan;
                    (at_server ? plan.reset_at_server : plan.reset_at_client) = octet;
                    return plan;
                },
                2);
            EXPECT_GE(result.receptions, 2U);
            EXPECT_LE(result.receptions, 3U) << "at most the one without a reply is repeated";
            EXPECT_EQ(result.deliveries, result.receptions);
            ASSERT_FALSE(HasFailure()) << (at_server ? "server" : "client") << " octet " << octet;
        }
    }
}

// Replies to RCPT for each address, over one connection to the relay.
core::Task<void> ask_for(core::Shard& shard, std::vector<std::string> addresses,
                         std::vector<std::string>& replies) {
    auto connected = co_await core::connect(shard, kRelay, std::nullopt, shard.now() + minutes{1});
    if (!connected) co_return;
    core::ByteStream& stream = **connected;
    stream.set_deadline(shard.now() + minutes{1});
    std::string input;
    // The last line of the next reply.
    const auto reply = [](core::ByteStream& from, std::string& buffer) -> core::Task<std::string> {
        while (true) {
            const auto end = buffer.find("\r\n");
            if (end == std::string::npos) {
                const auto more = co_await from.read();
                if (!more || more->empty()) co_return "";
                buffer += *more;
                from.consume(more->size());
                continue;
            }
            std::string line = buffer.substr(0, end);
            buffer.erase(0, end + 2);
            if (line.size() < 4 || line[3] != '-') co_return line;
        }
    };
    co_await reply(stream, input);
    for (const char* command : {"EHLO client.example\r\n", "MAIL FROM:<news@sender.example>\r\n"}) {
        co_await stream.write(std::string_view(command));
        co_await reply(stream, input);
    }
    for (const std::string& address : addresses) {
        co_await stream.write("RCPT TO:<" + address + ">\r\n");
        replies.push_back(co_await reply(stream, input));
    }
    co_await stream.close();
}

// RFC 7505 section 4.2, as far as it is known without waiting: from the first mail for the domain
// until the TTL ends, on the shard that learned it.
TEST(RelayRecipients, a_null_mx_that_is_known_is_refused_at_rcpt) {
    Town town;
    town.zone.names["null.example"][dns::RecordType::mx].records.push_back(
        {"null.example", dns::RecordType::mx, 300, dns::MxData{0, "."}});
    town.zone.add_mx("one.example", 10, "mx1.example");
    town.add_server(1);
    town.relay.listen(kRelay);
    const auto replies_to = [&town](std::vector<std::string> addresses) {
        std::vector<std::string> replies;
        EXPECT_TRUE(town.world.run(town.world.outside(),
                                   ask_for(town.world.outside(), addresses, replies), minutes{2}));
        EXPECT_EQ(replies.size(), addresses.size());
        replies.resize(addresses.size());
        return replies;
    };
    const std::size_t asked = town.zone.questions;
    EXPECT_TRUE(replies_to({"a@null.example"})[0].starts_with("250 "));  // nobody knows
    EXPECT_EQ(town.zone.questions, asked) << "RCPT waits for no DNS";

    town.inject(1, "null.example");
    EXPECT_TRUE(town.relay.run_until_drained(minutes{1}));
    EXPECT_EQ(town.relay.count("Bounce"), 1U);
    const auto known = replies_to({"a@Null.Example", "b@one.example"});
    EXPECT_TRUE(known[0].starts_with("556 5.1.10 ")) << known[0];
    EXPECT_TRUE(known[1].starts_with("250 ")) << known[1];
    EXPECT_EQ(town.relay.count("Rejection"), 1U);

    town.world.run_for(minutes{5});  // the TTL
    EXPECT_TRUE(replies_to({"a@null.example"})[0].starts_with("250 "));
}

INSTANTIATE_TEST_SUITE_P(Manners, RelayIngress,
                         testing::Values(Manner::lock_step, Manner::groups, Manner::chunks,
                                         Manner::everything_at_once));

}  // namespace
}  // namespace sim
