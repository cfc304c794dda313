#include "relay/intake/smtp/smtp_ingress.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/net/connector.h"
#include "relay/events/event_sink.h"
#include "tests/unit/core/net/rig.h"
#include "tests/unit/intake/kept_acceptance.h"

namespace relay {
namespace {

using core::Shard;
using core::Task;
using std::string;
using std::chrono::milliseconds;
using std::chrono::seconds;

const core::SocketAddress kLoopback{core::IpAddress::v4(0x7f000001), 0};

SmtpListenerOptions options_for(std::string_view allow) {
    SmtpListenerOptions options;
    options.policy.hostname = "mx.example";
    options.policy.allow = {*core::IpNetwork::parse(allow)};
    return options;
}

// A listener on one shard, on the kernel's network and on the simulated one.
class SmtpIngressTest : public testing::TestWithParam<string> {
  protected:
    void TearDown() override { events.close(); }

    std::unique_ptr<core::test::Rig> rig = core::test::make_rig(GetParam());
    Shard& shard = rig->shard();
    relay_test::KeptAcceptance acceptance{shard.reactor()};
    metrics::ShardMetrics metrics;
    MemoryEventSink sink;
    EventWriter events{sink, shard.reactor()};

    std::uint64_t rejected(metrics::Rejection why) {
        return metrics.rejected_count(metrics::Protocol::smtp, why).value();
    }
};

// Says one thing after the other, each when a reply to the one before has come; notes what it
// heard.
struct Visitor {
    explicit Visitor(std::vector<string> says = {}) : lines(std::move(says)) {}
    std::vector<string> lines;
    string heard;
    bool connected = false;
    bool ended = false;
};

Task<void> visit(Shard& shard, core::SocketAddress address, Visitor& visitor) {
    auto stream = co_await core::connect(shard, address, std::nullopt, shard.now() + seconds(20));
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    visitor.connected = true;
    core::ByteStream& peer = **stream;
    peer.set_deadline(shard.now() + seconds(20));
    std::size_t next = 0;
    for (;;) {
        const auto input = co_await peer.read();
        if (!input || input->empty()) break;
        visitor.heard += *input;
        peer.consume(input->size());
        const auto line = visitor.heard.rfind('\n', visitor.heard.size() - 2);
        const auto last = line == string::npos ? 0 : line + 1;
        const bool complete = visitor.heard.ends_with('\n') && visitor.heard[last + 3] == ' ';
        if (complete && next < visitor.lines.size()) co_await peer.write(visitor.lines[next++]);
    }
    co_await peer.close();
    visitor.ended = true;
}

Task<void> deliver_one(Shard& shard, SmtpIngress& ingress, Visitor& visitor) {
    core::TaskGroup tasks(shard.reactor());
    const auto address = ingress.open(kLoopback);
    EXPECT_TRUE(address);
    if (!address) co_return;
    tasks.spawn(ingress.run());
    co_await visit(shard, *address, visitor);
    EXPECT_EQ(ingress.sessions(), 0U);
    co_await ingress.drain_and_close();
    co_await tasks.close();
}

TEST_P(SmtpIngressTest, takes_a_message_over_the_network) {
    SmtpIngress ingress(shard, options_for("0.0.0.0/0"), acceptance, metrics, events);
    Visitor visitor({"EHLO client.example\r\n", "MAIL FROM:<a@example.com>\r\n",
                     "RCPT TO:<b@example.com>\r\n", "DATA\r\n", "Subject: x\r\n\r\n..\r\n.\r\n",
                     "QUIT\r\n"});
    rig->run(deliver_one(shard, ingress, visitor));
    ASSERT_EQ(acceptance.messages.size(), 1U) << visitor.heard;
    EXPECT_TRUE(acceptance.messages[0]->content.to_string().ends_with("Subject: x\r\n\r\n.\r\n"));
    EXPECT_TRUE(visitor.heard.ends_with("221 2.0.0 Bye\r\n"));
    EXPECT_EQ(metrics.session_count(metrics::Protocol::smtp).value(), 1U);
    EXPECT_EQ(metrics.sessions_open(metrics::Protocol::smtp).value(), 0);
}

TEST_P(SmtpIngressTest, relays_for_its_networks_only) {
    SmtpIngress ingress(shard, options_for("192.0.2.0/24"), acceptance, metrics, events);
    Visitor visitor({"EHLO client.example\r\n", "MAIL FROM:<a@example.com>\r\n",
                     "RCPT TO:<b@example.com>\r\n", "QUIT\r\n"});
    rig->run(deliver_one(shard, ingress, visitor));
    EXPECT_TRUE(visitor.heard.contains("550 5.7.1 Relaying denied for ")) << visitor.heard;
    EXPECT_TRUE(acceptance.messages.empty());
}

Task<void> crowd(Shard& shard, SmtpIngress& ingress, std::vector<Visitor>& visitors) {
    core::TaskGroup tasks(shard.reactor());
    core::TaskGroup clients(shard.reactor());
    const auto address = ingress.open(kLoopback);
    EXPECT_TRUE(address);
    if (!address) co_return;
    tasks.spawn(ingress.run());
    for (Visitor& visitor : visitors)
        clients.spawn(visit(shard, *address, visitor));
    co_await core::test::pause(shard, milliseconds(300));
    co_await ingress.drain_and_close();
    co_await clients.close();
    co_await tasks.close();
}

TEST_P(SmtpIngressTest, limits_connections) {
    SmtpListenerOptions options = options_for("0.0.0.0/0");
    options.max_connections = 3;
    options.times.drain = milliseconds(50);
    SmtpIngress ingress(shard, options, acceptance, metrics, events);
    std::vector<Visitor> visitors(5);
    rig->run(crowd(shard, ingress, visitors));
    std::size_t greeted = 0;
    std::size_t refused = 0;
    for (const Visitor& visitor : visitors) {
        EXPECT_TRUE(visitor.ended);
        greeted += visitor.heard.starts_with("220 ");
        refused += visitor.heard == "421 4.7.0 Too many connections, try later\r\n";
    }
    EXPECT_EQ(greeted, 3U);
    EXPECT_EQ(refused, 2U);
    EXPECT_EQ(rejected(metrics::Rejection::connections), 2U);
}

TEST_P(SmtpIngressTest, drains_idle_sessions_and_those_in_content) {
    SmtpListenerOptions options = options_for("0.0.0.0/0");
    options.times.drain = milliseconds(50);
    options.drain_limit = milliseconds(300);
    SmtpIngress ingress(shard, options, acceptance, metrics, events);
    std::vector<Visitor> visitors(2);
    visitors[0].lines = {"EHLO idle.example\r\n"};
    visitors[1].lines = {"EHLO busy.example\r\n",
                         "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n",
                         "content that does not end"};
    rig->run(crowd(shard, ingress, visitors));
    EXPECT_TRUE(visitors[0].heard.ends_with("421 4.3.2 Shutting down, try again\r\n"));
    EXPECT_TRUE(visitors[1].heard.ends_with("354 End with CRLF.CRLF\r\n")) << visitors[1].heard;
    EXPECT_TRUE(visitors[1].ended);
    EXPECT_TRUE(acceptance.messages.empty());
}

INSTANTIATE_TEST_SUITE_P(Backends, SmtpIngressTest,
                         testing::Values("uring", "epoll", "sim", "ragged"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace relay
