#include "relay/admin/probes.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "core/http/session.h"
#include "relay/admin/liveness.h"
#include "tests/unit/core/net/scripted_stream.h"

namespace {

using core::test::ScriptedStream;
using core::test::TestLoop;
using std::chrono::seconds;

core::Task<std::string> exposition() {
    co_return "posthaste_up 1\n";
}
core::Task<void> converse(core::HttpSession* session) {
    co_await session->run();
}

std::string get(const std::string& path, relay::Probes probes) {
    TestLoop loop;
    ScriptedStream stream(loop.reactor());
    stream.say("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
    core::Router router;
    relay::add_probe_routes(router, std::move(probes));
    core::HttpLimits limits;
    core::HttpSessions shared;
    core::HttpSession session(stream, router, limits, shared, loop.reactor());
    loop.run(converse(&session));
    return stream.heard();
}

std::string fine() {
    return {};
}
std::string draining() {
    return "draining";
}

TEST(Probes, tell_what_the_providers_say) {
    const relay::Probes probes{fine, draining, exposition};
    EXPECT_TRUE(get("/healthz", probes).starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE(get("/healthz", probes).ends_with("{\"status\":\"ok\"}\n"));
    const std::string unready = get("/readyz", probes);
    EXPECT_TRUE(unready.starts_with("HTTP/1.1 503 "));
    EXPECT_TRUE(unready.ends_with("{\"status\":\"unavailable\",\"reason\":\"draining\"}\n"));
    const std::string metrics = get("/metrics", probes);
    EXPECT_TRUE(metrics.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    EXPECT_TRUE(metrics.ends_with("\r\n\r\nposthaste_up 1\n"));
}

TEST(Probes, without_a_provider_there_are_no_metrics) {
    EXPECT_TRUE(get("/metrics", {fine, fine, {}}).starts_with("HTTP/1.1 404 "));
}

TEST(Liveness, names_the_shards_that_do_not_turn) {
    relay::Liveness liveness(2);
    const core::Instant start{seconds{1000}};
    EXPECT_EQ(liveness.complaint(start), "shard 0 has not started; shard 1 has not started");
    liveness.stamp(0, start);
    liveness.stamp(1, start);
    EXPECT_EQ(liveness.complaint(start + relay::Liveness::kStall), "");
    liveness.stamp(0, start + seconds{20});
    EXPECT_EQ(liveness.complaint(start + seconds{20}),
              "the loop of shard 1 has not turned for 20 s");
}

}  // namespace
