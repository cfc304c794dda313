// The server over real sockets and over the simulated network with short reads and writes.
#include "core/http/server.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "core/net/connector.h"
#include "tests/unit/core/net/rig.h"

namespace {

using core::HttpRequest;
using core::HttpResponse;
using std::chrono::seconds;

core::Task<HttpResponse> echo(HttpRequest request) {
    co_return core::text_response(200, "<" + request.body + ">", "text/plain");
}

// Answers when the test lets it.
core::Task<HttpResponse> wait_for(core::Event* gate) {
    co_await gate->wait();
    co_return core::text_response(200, "waited", "text/plain");
}

core::Task<std::unique_ptr<core::TcpStream>> dial(core::Shard* shard, core::SocketAddress to) {
    auto stream = co_await core::connect(*shard, to, std::nullopt, shard->now() + seconds{5});
    EXPECT_TRUE(stream);
    (*stream)->set_deadline(shard->now() + seconds{20});
    co_return std::move(*stream);
}

// Reads until the text appears or the stream ends.
core::Task<std::string> read_until(core::TcpStream* stream, std::string what) {
    std::string text;
    while (text.find(what) == std::string::npos) {
        const auto input = co_await stream->read();
        if (!input || input->empty()) break;
        text += *input;
        stream->consume(input->size());
    }
    co_return text;
}

const core::SocketAddress kAnywhere = core::SocketAddress::parse("127.0.0.1:0").value();

class HttpServer : public ::testing::TestWithParam<const char*> {
  protected:
    std::unique_ptr<core::test::Rig> rig_ = core::test::make_rig(GetParam());
    core::Shard& shard() { return rig_->shard(); }
    core::Router router() {
        core::Router router;
        router.add({"POST", "/echo", 1'000'000, echo, {}});
        router.add({"GET", "/echo", 0, echo, {}});
        router.add({"GET", "/wait", 0, [this](HttpRequest) { return wait_for(&gate_); }, {}});
        return router;
    }
    core::Event gate_{shard().reactor()};
};

core::Task<void> talk(core::Shard* shard, core::HttpServer* server) {
    EXPECT_TRUE(server->open(kAnywhere));
    server->start();
    auto stream = co_await dial(shard, server->addresses().at(0));
    const std::string body(100'000, 'x');
    const std::string post = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" +
                             body + "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";
    EXPECT_TRUE(co_await stream->write(post));
    const std::string text = co_await read_until(stream.get(), "<>");
    EXPECT_TRUE(text.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_NE(text.find("<" + body + ">HTTP/1.1 200 OK\r\n"), std::string::npos);
    EXPECT_EQ(server->connections(), 1U);
    co_await server->close();  // the connection is idle: it ends at once
    EXPECT_EQ(co_await read_until(stream.get(), "\n"), "");
    co_await stream->close();
    EXPECT_EQ(server->connections(), 0U);
}

TEST_P(HttpServer, serves_and_closes_idle_connections_at_its_end) {
    core::HttpServer server(shard(), {}, router());
    const core::Instant start = shard().now();
    rig_->run(talk(&shard(), &server));
    EXPECT_LT(shard().now() - start, seconds{9});
}

core::Task<void> close_it(core::HttpServer* server) {
    co_await server->close();
}

core::Task<void> finish(core::Shard* shard, core::HttpServer* server, core::Event* gate) {
    EXPECT_TRUE(server->open(kAnywhere));
    server->start();
    auto stream = co_await dial(shard, server->addresses().at(0));
    EXPECT_TRUE(co_await stream->write("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
    while (server->stats().requests == 0)
        co_await core::test::pause(*shard, std::chrono::milliseconds{1});
    core::TaskGroup group(shard->reactor());
    group.spawn(close_it(server));
    co_await core::test::pause(*shard, std::chrono::milliseconds{20});
    EXPECT_EQ(server->connections(), 1U);
    gate->set();
    const std::string text = co_await read_until(stream.get(), "waited");
    EXPECT_NE(text.find("Connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(text.ends_with("waited"));
    co_await group.close();
    co_await stream->close();
}

TEST_P(HttpServer, requests_under_way_are_finished_while_draining) {
    core::HttpServer server(shard(), {}, router());
    rig_->run(finish(&shard(), &server, &gate_));
}

core::Task<void> stall(core::Shard* shard, core::HttpServer* server) {
    EXPECT_TRUE(server->open(kAnywhere));
    server->start();
    auto stream = co_await dial(shard, server->addresses().at(0));
    EXPECT_TRUE(
        co_await stream->write("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"));
    while (server->stats().requests == 0)
        co_await core::test::pause(*shard, std::chrono::milliseconds{1});
    co_await server->close();
    EXPECT_EQ(co_await read_until(stream.get(), "\n"), "");
    co_await stream->close();
}

TEST_P(HttpServer, the_time_of_a_drain_is_limited) {
    core::HttpServerOptions options;
    options.drain_timeout = std::chrono::milliseconds{50};
    core::HttpServer server(shard(), options, router());
    const core::Instant start = shard().now();
    rig_->run(stall(&shard(), &server));
    EXPECT_LT(shard().now() - start, seconds{9});
}

core::Task<void> crowd(core::Shard* shard, core::HttpServer* server) {
    EXPECT_TRUE(server->open(kAnywhere));
    server->start();
    auto first = co_await dial(shard, server->addresses().at(0));
    while (server->connections() == 0)
        co_await core::test::pause(*shard, std::chrono::milliseconds{1});
    auto second = co_await dial(shard, server->addresses().at(0));
    const std::string text = co_await read_until(second.get(), "}\n");
    EXPECT_TRUE(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n")) << text;
    EXPECT_NE(text.find("Retry-After: 5\r\n"), std::string::npos);
    co_await second->close();
    EXPECT_TRUE(co_await first->write("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_TRUE((co_await read_until(first.get(), "<>")).ends_with("<>"));
    co_await first->close();
    co_await server->close();
}

TEST_P(HttpServer, connections_are_limited) {
    core::HttpServerOptions options;
    options.max_connections = 1;
    core::HttpServer server(shard(), options, router());
    rig_->run(crowd(&shard(), &server));
    EXPECT_EQ(server.stats().connections, 1U);
    EXPECT_EQ(server.stats().connections_refused, 1U);
}

TEST_P(HttpServer, enter_and_leave_are_paired) {
    int inside = 0;
    int entered = 0;
    core::HttpServerOptions options;
    options.enter = [&](const core::SocketAddress&, bool) {
        if (inside == 1) return core::Entry::full;
        ++inside;
        ++entered;
        return core::Entry::client;
    };
    options.leave = [&](const core::SocketAddress&) { --inside; };
    core::HttpServer server(shard(), options, router());
    rig_->run(crowd(&shard(), &server));
    EXPECT_EQ(entered, 1);
    EXPECT_EQ(inside, 0);
}

core::Task<void> replace(core::Shard* shard, core::HttpServer* server) {
    EXPECT_TRUE(server->open(kAnywhere));
    server->start();
    std::vector<std::unique_ptr<core::TcpStream>> open;
    for (std::size_t i = 0; i < core::HttpServer::kOwnStrangers; ++i) {
        open.push_back(co_await dial(shard, server->addresses().at(0)));
        while (server->connections() <= i)
            co_await core::test::pause(*shard, std::chrono::milliseconds{1});
    }
    auto last = co_await dial(shard, server->addresses().at(0));
    EXPECT_TRUE(co_await last->write("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_TRUE((co_await read_until(last.get(), "<>")).ends_with("<>"));
    EXPECT_EQ(co_await read_until(open.front().get(), "\n"), "");  // cut off
    for (auto& stream : open)
        co_await stream->close();
    co_await last->close();
    co_await server->close();
}

// M6: a probe is answered whatever other strangers hold open.
TEST_P(HttpServer, a_new_stranger_takes_the_place_of_the_oldest) {
    int inside = 0;
    int most = 0;
    core::HttpServerOptions options;
    options.enter = [&](const core::SocketAddress&, bool replacing) {
        if (inside > 0 && !replacing) return core::Entry::crowded;
        most = std::max(most, ++inside);
        return core::Entry::stranger;
    };
    options.leave = [&](const core::SocketAddress&) { --inside; };
    core::HttpServer server(shard(), options, router());
    rig_->run(replace(&shard(), &server));
    EXPECT_EQ(most, static_cast<int>(core::HttpServer::kOwnStrangers) + 1);
    EXPECT_EQ(inside, 0);
    EXPECT_EQ(server.stats().connections_refused, 0U);
}

INSTANTIATE_TEST_SUITE_P(Backends, HttpServer, ::testing::Values("uring", "epoll", "sim", "ragged"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
