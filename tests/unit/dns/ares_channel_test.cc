// AresChannel against a name server on loopback, over the real engine: c-ares makes its own
// sockets, so nothing simulated stands in for them.
#include "dns/ares_channel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/ascii.h"
#include "core/io/runtime.h"
#include "dns/wire/message.h"

namespace dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

// A name server on a thread: UDP and TCP on one port of 127.0.0.1. The script answers octets, or
// nothing; it runs on the server's thread.
class NameServer {
  public:
    using Script = std::function<std::optional<std::string>(const Message& query, bool over_tcp)>;

    explicit NameServer(Script script) : script_(std::move(script)) {
        for (int tries = 0; tries < 100 && !open(); ++tries) {
        }
        EXPECT_NE(address_, "");
        thread_ = std::thread([this] { serve(); });
    }
    // Before a test looks at what the script saw on the server's thread.
    void stop() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
    }
    ~NameServer() {
        stop();
        ::close(udp_);
        ::close(tcp_);
    }
    const std::string& address() const { return address_; }
    int asked() const { return asked_; }
    std::string udp_questions() const { return udp_questions_; }  // after stop()

    std::atomic<bool> copies_question{true};

  private:
    // A port that is free for UDP may be taken for TCP by somebody else: then another one.
    bool open() {
        udp_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        tcp_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const core::SocketAddress any_port{core::IpAddress::v4(0x7f000001), 0};
        sockaddr_storage native{};
        socklen_t length = any_port.to_native(native);
        auto* name = reinterpret_cast<sockaddr*>(&native);
        EXPECT_EQ(::bind(udp_, name, length), 0);
        EXPECT_EQ(::getsockname(udp_, name, &length), 0);
        if (::bind(tcp_, name, length) != 0 || ::listen(tcp_, 16) != 0) {
            ::close(udp_);
            ::close(tcp_);
            return false;
        }
        address_ = core::SocketAddress::from_native(name).to_string();
        return true;
    }
    void serve() {
        while (!stopping_) {
            pollfd waits[2] = {{udp_, POLLIN, 0}, {tcp_, POLLIN, 0}};
            ::poll(waits, 2, 10);
            if ((waits[0].revents & POLLIN) != 0) serve_udp();
            if ((waits[1].revents & POLLIN) != 0) serve_tcp();
        }
    }
    std::optional<std::string> answer(std::string_view octets, bool over_tcp) {
        const auto query = parse_message(octets);
        EXPECT_TRUE(query);
        ++asked_;
        if (!query) return std::nullopt;
        auto reply = script_(*query, over_tcp);
        // Servers copy the question as it came; scripts see and write it in lower case.
        const std::string_view question = octets.substr(12, query->name.size() + 2);
        if (copies_question && reply && reply->size() >= 12 + question.size() &&
            core::equals_ignoring_case(std::string_view(*reply).substr(12, question.size()),
                                       question)) {
            reply->replace(12, question.size(), question);
        }
        if (!over_tcp) udp_questions_ += std::string(question.substr(1)) + '\n';
        return reply;
    }
    void serve_udp() {
        char buffer[4096];
        sockaddr_storage peer{};
        socklen_t length = sizeof peer;
        auto* name = reinterpret_cast<sockaddr*>(&peer);
        const ssize_t got = ::recvfrom(udp_, buffer, sizeof buffer, 0, name, &length);
        if (got <= 0) return;
        const auto reply = answer({buffer, static_cast<std::size_t>(got)}, false);
        if (reply) ::sendto(udp_, reply->data(), reply->size(), 0, name, length);
    }
    void serve_tcp() {
        const int connection = ::accept(tcp_, nullptr, nullptr);
        if (connection < 0) return;
        char buffer[4096];
        std::string input;
        while (true) {
            const ssize_t got = ::recv(connection, buffer, sizeof buffer, 0);
            if (got <= 0) break;
            input.append(buffer, static_cast<std::size_t>(got));
            const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
            if (input.size() < 2 || input.size() < 2U + octet(0) * 256U + octet(1)) continue;
            const auto reply = answer(std::string_view(input).substr(2), true);
            if (!reply) break;
            std::string framed{static_cast<char>(reply->size() >> 8),
                               static_cast<char>(reply->size() & 0xff)};
            framed += *reply;
            ::send(connection, framed.data(), framed.size(), MSG_NOSIGNAL);
            input.clear();
        }
        ::close(connection);
    }

    Script script_;
    int udp_ = -1;
    int tcp_ = -1;
    std::string address_;
    std::atomic<bool> stopping_{false};
    std::atomic<int> asked_{0};
    std::string udp_questions_;
    std::thread thread_;
};

Message reply_to(const Message& query, std::vector<std::string> hosts = {}) {
    Message reply;
    reply.id = query.id;
    reply.response = true;
    reply.recursion_desired = reply.recursion_available = true;
    reply.authenticated = query.authenticated;
    reply.has_opt = query.has_opt;
    reply.name = query.name;
    reply.type = query.type;
    for (std::string& host : hosts) {
        reply.answers.push_back({query.name, RecordType::mx, 60, MxData{10, std::move(host)}});
    }
    return reply;
}

// Keeps the callable alive for as long as its coroutine: the caller's frame holds both.
using Body = core::Task<void> (*)(core::Shard&, AresChannel&, void*);

core::Task<void> run_body(core::Shard& shard, AresOptions options, Body body, void* context) {
    auto channel = AresChannel::open(shard, std::move(options));
    EXPECT_TRUE(channel) << channel.error();
    if (!channel) co_return;
    co_await body(shard, **channel, context);
    co_await (*channel)->close();
}

void with_channel(AresOptions options, Body body, void* context) {
    core::Runtime runtime({.shards = 1, .pin_threads = false, .receive_buffers = 16});
    const auto result =
        runtime.run([=](core::Shard& shard) { return run_body(shard, options, body, context); });
    ASSERT_TRUE(result) << result.error();
}

constexpr milliseconds kQuick{100};

struct Asking {
    std::vector<std::string> names;
    std::vector<DnsAnswer> answers;
    AresStats stats;
    Clock::duration took{};
};

// Asks for the MX of each name, one after the other.
core::Task<void> ask_each(core::Shard&, AresChannel& channel, void* context) {
    auto& asking = *static_cast<Asking*>(context);
    const auto start = Clock::now();
    for (const std::string& name : asking.names) {
        asking.answers.push_back(co_await channel.query(name, RecordType::mx));
    }
    asking.took = Clock::now() - start;
    asking.stats = channel.stats();
}

Asking ask(const AresOptions& options, std::vector<std::string> names) {
    Asking asking;
    asking.names = std::move(names);
    with_channel(options, &ask_each, &asking);
    return asking;
}

TEST(AresChannelTest, asks_by_udp) {
    NameServer server([](const Message& query, bool over_tcp) -> std::optional<std::string> {
        EXPECT_FALSE(over_tcp);
        EXPECT_TRUE(query.recursion_desired);
        EXPECT_TRUE(query.authenticated);
        EXPECT_TRUE(query.has_opt);
        return *build_message(reply_to(query, {"mx1.example.com", "mx2.example.com"}));
    });
    const Asking asking = ask({.servers = {server.address()}}, {"Example.COM.", "b.example"});
    ASSERT_EQ(asking.answers.size(), 2U);
    EXPECT_EQ(asking.answers[0].status, DnsStatus::ok);
    EXPECT_EQ(asking.answers[0].canonical_name, "example.com");
    EXPECT_EQ(asking.answers[0].records.size(), 2U);
    EXPECT_EQ(asking.answers[0].ttl, seconds{60});
    EXPECT_FALSE(asking.answers[0].authenticated);  // nobody said that AD may be trusted
    EXPECT_EQ(asking.stats.queries, 2U);
    EXPECT_EQ(asking.stats.over_tcp, 0U);
}

TEST(AresChannelTest, believes_ad_when_told_so) {
    NameServer server([](const Message& query, bool) {
        return std::optional(*build_message(reply_to(query, {"mx.example"})));
    });
    const Asking asking = ask({.servers = {server.address()}, .trust_ad = true}, {"a.example"});
    ASSERT_EQ(asking.answers.size(), 1U);
    EXPECT_TRUE(asking.answers[0].authenticated);
}

TEST(AresChannelTest, truncated_answers_are_asked_for_by_tcp) {
    NameServer server([](const Message& query, bool over_tcp) {
        std::vector<std::string> hosts;
        for (int i = 0; i < (over_tcp ? 200 : 1); ++i) {
            hosts.push_back("mx" + std::to_string(i) + ".a-rather-long-name.example.com");
        }
        Message reply = reply_to(query, hosts);
        reply.truncated = !over_tcp;
        return std::optional(*build_message(reply));
    });
    const Asking asking = ask({.servers = {server.address()}}, {"a.example", "b.example"});
    ASSERT_EQ(asking.answers.size(), 2U);
    for (const DnsAnswer& answer : asking.answers) {
        EXPECT_EQ(answer.status, DnsStatus::ok);
        EXPECT_EQ(answer.records.size(), 200U);
    }
    EXPECT_EQ(asking.stats.over_tcp, 2U);
    EXPECT_EQ(server.asked(), 4);
}

TEST(AresChannelTest, large_udp_answers_come_whole) {
    NameServer server([](const Message& query, bool over_tcp) {
        EXPECT_FALSE(over_tcp);
        std::vector<std::string> hosts;
        for (int i = 0; i < 22; ++i)
            hosts.push_back("mx" + std::to_string(i) + ".example.com");
        const std::string wire = *build_message(reply_to(query, hosts));
        EXPECT_GT(wire.size(), 900U);
        EXPECT_LE(wire.size(), kUdpPayload);
        return std::optional(wire);
    });
    const Asking asking = ask({.servers = {server.address()}}, {"a.example"});
    ASSERT_EQ(asking.answers.size(), 1U);
    EXPECT_EQ(asking.answers[0].records.size(), 22U);
}

TEST(AresChannelTest, garbled_udp_is_asked_for_by_tcp_and_garbled_tcp_is_a_failure) {
    NameServer server([](const Message& query, bool over_tcp) {
        std::string wire = *build_message(reply_to(query, {"mx.example"}));
        if (!over_tcp || query.name == "b.example") wire.resize(wire.size() - 14);
        return std::optional(wire);
    });
    const Asking asking = ask({.servers = {server.address()}}, {"a.example", "b.example"});
    ASSERT_EQ(asking.answers.size(), 2U);
    EXPECT_EQ(asking.answers[0].status, DnsStatus::ok);
    EXPECT_EQ(asking.answers[1].status, DnsStatus::servfail);
    EXPECT_EQ(asking.stats.malformed, 3U);
}

TEST(AresChannelTest, server_failure_and_refusal_are_servfail) {
    NameServer server([](const Message& query, bool) {
        Message reply = reply_to(query);
        reply.code = query.name == "refused.example" ? 5 : 2;
        return std::optional(*build_message(reply));
    });
    const Asking asking = ask({.servers = {server.address()}}, {"fail.example", "refused.example"});
    ASSERT_EQ(asking.answers.size(), 2U);
    EXPECT_EQ(asking.answers[0].status, DnsStatus::servfail);
    EXPECT_EQ(asking.answers[1].status, DnsStatus::servfail);
    EXPECT_LT(asking.took, seconds{2});
}

TEST(AresChannelTest, a_failing_server_is_followed_by_the_next) {
    NameServer failing([](const Message& query, bool) {
        Message reply = reply_to(query);
        reply.code = 2;
        return std::optional(*build_message(reply));
    });
    NameServer good([](const Message& query, bool) {
        return std::optional(*build_message(reply_to(query, {"mx.example"})));
    });
    const Asking asking = ask({.servers = {failing.address(), good.address()}}, {"a.example"});
    ASSERT_EQ(asking.answers.size(), 1U);
    EXPECT_EQ(asking.answers[0].status, DnsStatus::ok);
}

TEST(AresChannelTest, a_server_without_edns_is_asked_without_it) {
    NameServer server([](const Message& query, bool) {
        Message reply = reply_to(query, {"mx.example"});
        if (query.has_opt) {
            reply.answers.clear();
            reply.code = 1;
            reply.has_opt = false;
        }
        return std::optional(*build_message(reply));
    });
    const Asking asking =
        ask({.servers = {server.address()}}, {"a.example", "b.example", "c.example"});
    ASSERT_EQ(asking.answers.size(), 3U);
    for (const DnsAnswer& answer : asking.answers)
        EXPECT_EQ(answer.status, DnsStatus::ok);
    EXPECT_FALSE(asking.stats.edns);
}

TEST(AresChannelTest, nobody_listening_is_servfail_at_once) {
    std::string address;
    {
        NameServer gone([](const Message&, bool) { return std::optional<std::string>(); });
        address = gone.address();
    }
    const Asking asking = ask({.servers = {address}}, {"a.example"});
    ASSERT_EQ(asking.answers.size(), 1U);
    EXPECT_EQ(asking.answers[0].status, DnsStatus::servfail);
    EXPECT_LT(asking.took, seconds{1});
}

TEST(AresChannelTest, silence_is_a_timeout) {
    NameServer server([](const Message&, bool) { return std::optional<std::string>(); });
    const Asking asking =
        ask({.servers = {server.address()}, .first_timeout = kQuick}, {"a.example"});
    ASSERT_EQ(asking.answers.size(), 1U);
    EXPECT_EQ(asking.answers[0].status, DnsStatus::timeout);
    EXPECT_EQ(server.asked(), AresChannel::kTries);
    EXPECT_GE(asking.took, kQuick * 6);
    EXPECT_LT(asking.took, kQuick * 9);
}

TEST(AresChannelTest, a_lost_packet_is_asked_for_again) {
    std::atomic<int> calls{0};
    NameServer server([&](const Message& query, bool) -> std::optional<std::string> {
        if (++calls == 1) return std::nullopt;
        return *build_message(reply_to(query, {"mx.example"}));
    });
    const Asking asking =
        ask({.servers = {server.address()}, .first_timeout = kQuick}, {"a.example"});
    ASSERT_EQ(asking.answers.size(), 1U);
    EXPECT_EQ(asking.answers[0].status, DnsStatus::ok);
}

TEST(AresChannelTest, forged_answers_are_not_taken) {
    NameServer server([](const Message& query, bool) -> std::optional<std::string> {
        Message forged = reply_to(query, {"mx.evil.example"});
        if (query.name == "id.example") forged.id = static_cast<std::uint16_t>(query.id + 1);
        if (query.name == "name.example") forged.name = "other.example";
        return *build_message(forged);
    });
    const Asking asking = ask({.servers = {server.address()}, .first_timeout = kQuick},
                              {"id.example", "name.example"});
    ASSERT_EQ(asking.answers.size(), 2U);
    EXPECT_EQ(asking.answers[0].status, DnsStatus::timeout);
    EXPECT_EQ(asking.answers[1].status, DnsStatus::timeout);
}

TEST(AresChannelTest, answers_to_other_letters_are_asked_for_by_tcp) {
    NameServer server([](const Message& query, bool) {
        return std::optional(*build_message(reply_to(query, {"mx.example"})));
    });
    server.copies_question = false;
    const std::string name = "a-name-of-forty-letters-to-guess-the-case-of.example";
    const Asking asking = ask({.servers = {server.address()}}, {name});
    ASSERT_EQ(asking.answers.size(), 1U);
    EXPECT_EQ(asking.answers[0].status, DnsStatus::ok);
    EXPECT_EQ(asking.stats.over_tcp, 1U);
    server.stop();
    const std::string question = server.udp_questions();
    EXPECT_NE(question, core::to_lower(question));
    EXPECT_NE(question, core::to_lower(name) + '\n');
    EXPECT_TRUE(std::ranges::any_of(question, [](char c) { return c >= 'a' && c <= 'z'; }));
}

TEST(AresChannelTest, names_that_cannot_be_asked_for_do_not_exist) {
    NameServer server([](const Message&, bool) { return std::optional<std::string>(); });
    const Asking asking = ask({.servers = {server.address()}}, {"a..b", "", std::string(300, 'a')});
    ASSERT_EQ(asking.answers.size(), 3U);
    for (const DnsAnswer& answer : asking.answers)
        EXPECT_EQ(answer.status, DnsStatus::nxdomain);
    EXPECT_EQ(server.asked(), 0);
}

struct Many {
    std::size_t count = 0;
    std::size_t done = 0;
    std::size_t ok = 0;
    std::chrono::milliseconds close_after{-1};
    Clock::duration close_took{};
};

core::Task<void> one_of_many(AresChannel& channel, std::string name, Many& many) {
    const DnsAnswer answer = co_await channel.query(name, RecordType::mx);
    ++many.done;
    if (answer.status == DnsStatus::ok && answer.canonical_name == name) ++many.ok;
}

core::Task<void> ask_many(core::Shard& shard, AresChannel& channel, void* context) {
    auto& many = *static_cast<Many*>(context);
    core::TaskGroup tasks(shard.reactor());
    for (std::size_t i = 0; i < many.count; ++i) {
        tasks.spawn(one_of_many(channel, "d" + std::to_string(i) + ".example", many));
    }
    if (many.close_after.count() >= 0) {
        core::Event never(shard.reactor());
        co_await never.wait(shard.now() + many.close_after);
        const auto start = Clock::now();
        co_await channel.close();
        many.close_took = Clock::now() - start;
    }
    co_await tasks.close();
}

TEST(AresChannelTest, answers_many_at_once_with_ids_of_their_own) {
    std::set<std::uint16_t> ids;
    NameServer server([&](const Message& query, bool) {
        ids.insert(query.id);
        return std::optional(*build_message(reply_to(query, {"mx.example"})));
    });
    Many many{.count = 100};
    with_channel({.servers = {server.address()}}, &ask_many, &many);
    EXPECT_EQ(many.ok, 100U);
    server.stop();
    EXPECT_GE(ids.size(), 100U);
}

TEST(AresChannelTest, close_ends_pending_queries) {
    NameServer server([](const Message&, bool) { return std::optional<std::string>(); });
    Many many{.count = 20, .close_after = milliseconds{50}};
    with_channel({.servers = {server.address()}}, &ask_many, &many);
    EXPECT_EQ(many.done, 20U);
    EXPECT_EQ(many.ok, 0U);
    EXPECT_LT(many.close_took, seconds{1});
}

core::Task<void> try_open(core::Shard& shard, AresOptions options, std::string& error) {
    auto channel = AresChannel::open(shard, std::move(options));
    if (channel) {
        co_await (*channel)->close();
    } else {
        error = channel.error();
    }
}

std::string open_error(AresOptions options) {
    std::string error;
    core::Runtime runtime({.shards = 1, .pin_threads = false, .receive_buffers = 16});
    const auto result =
        runtime.run([&](core::Shard& shard) { return try_open(shard, options, error); });
    EXPECT_TRUE(result);
    return error;
}

TEST(AresChannelTest, servers_are_addresses_with_or_without_port) {
    EXPECT_EQ(open_error({.servers = {"127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:5353"}}), "");
    EXPECT_EQ(open_error({}), "");
    EXPECT_NE(open_error({.servers = {"dns.example"}}), "");
    EXPECT_NE(open_error({.servers = {"127.0.0.1:99999"}}), "");
    EXPECT_NE(open_error({.servers = std::vector<std::string>(5, "127.0.0.1")}), "");
}

}  // namespace
}  // namespace dns
