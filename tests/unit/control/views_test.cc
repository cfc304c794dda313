#include "relay/control/views.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "relay/control/audit_line.h"

namespace relay {
namespace {

using std::chrono::seconds;

QueueView queue(const std::string& domain, std::uint64_t scheduled) {
    return {.domain = domain, .scheduled = scheduled, .oldest = core::WallTime{seconds{scheduled}}};
}

TEST(QueuesView, parts_of_a_queue_on_several_shards_are_one_queue) {
    QueuesView all;
    all.add({.queues = {queue("a.example", 5), queue("b.example", 1)}, .recipients_left_out = 2});
    QueuesView other{.queues = {queue("a.example", 3)}};
    other.queues.front().next_attempt = core::WallTime{seconds{9}};
    all.add(std::move(other));
    all.cut(10);
    ASSERT_EQ(all.queues.size(), 2U);
    EXPECT_EQ(all.queues.front().domain, "a.example");
    EXPECT_EQ(all.queues.front().scheduled, 8U);
    EXPECT_EQ(all.queues.front().oldest, core::WallTime{seconds{3}});
    EXPECT_EQ(all.queues.front().next_attempt, core::WallTime{seconds{9}});
    EXPECT_EQ(all.recipients_left_out, 2U);
}

TEST(QueuesView, the_largest_are_named_and_the_rest_is_counted) {
    QueuesView all{.queues = {queue("a.example", 1), queue("b.example", 7), queue("c.example", 2)}};
    all.cut(1);
    ASSERT_EQ(all.queues.size(), 1U);
    EXPECT_EQ(all.queues.front().domain, "b.example");
    EXPECT_EQ(all.queues_left_out, 2U);
    EXPECT_EQ(all.recipients_left_out, 3U);
    EXPECT_EQ(to_json(all),
              R"({"queues":[{"domain":"b.example","tenant":"","campaign":"","scheduled":7,)"
              R"("suspended":0,"suspended_by":"","oldest":"1970-01-01T00:00:07Z",)"
              R"("next_attempt":null,"last_reply":""}],"queues_left_out":2,)"
              R"("recipients_left_out":3})");
}

TEST(PathsView, the_longest_queue_comes_first) {
    PathsView view;
    view.paths.push_back({.name = "a", .ready = 1});
    view.paths.push_back({.name = "b", .ready = 2, .reason = "window"});
    view.cut(1);
    EXPECT_EQ(view.left_out, 1U);
    EXPECT_NE(to_json(view).find(R"("name":"b")"), std::string::npos);
    EXPECT_NE(to_json(view).find(R"("reason":"window")"), std::string::npos);
}

TEST(AuditLine, has_who_what_when_and_the_result) {
    EXPECT_EQ(audit_line({.when = core::WallTime{seconds{7}},
                          .who = "boss",
                          .action = "suspend",
                          .what = "tenant a",
                          .reason = "\"x\"",
                          .result = "done"}),
              "{\"when\":7,\"who\":\"boss\",\"action\":\"suspend\",\"what\":\"tenant a\","
              "\"reason\":\"\\\"x\\\"\",\"result\":\"done\"}\n");
}

}  // namespace
}  // namespace relay
