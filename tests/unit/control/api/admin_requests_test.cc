#include "relay/control/api/admin_requests.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr core::WallTime kNow{hours{24}};

TEST(AdminRequests, an_order_has_kumomtas_shape) {
    const auto order = read_order(
        OrderKind::bounce,
        R"({"campaign":null,"tenant":"a","domain":"One.Example","reason":"why","duration":"2h"})",
        kNow);
    ASSERT_TRUE(order);
    EXPECT_EQ(order->kind, OrderKind::bounce);
    EXPECT_EQ(order->selection, (Selection{.tenant = "a", .domain = "one.example"}));
    EXPECT_EQ(order->reason, "why");
    EXPECT_EQ(order->expires, kNow + hours{2});
}

TEST(AdminRequests, without_a_duration_it_holds_for_five_minutes) {
    EXPECT_EQ(read_order(OrderKind::suspend, "{}", kNow)->expires, kNow + minutes{5});
    EXPECT_EQ(read_order(OrderKind::suspend, "", kNow)->selection, Selection{});
}

TEST(AdminRequests, what_is_wrong_names_its_field) {
    struct Case {
        std::string body;
        std::string field;
        std::string message;
    };
    for (const Case& wrong : {
             Case{R"({"domian":"a"})", "domian",
                  "there is no field \"domian\"; is \"domain\" meant?"},
             Case{R"({"domain":"a b"})", "domain",
                  "domain \"a b\" is not a domain such as \"example.com\""},
             Case{R"({"duration":"soon"})", "duration",
                  "duration \"soon\" is not a time such as \"5m\", \"2h\" or \"3d\""},
             Case{R"({"duration":"999d"})", "duration", "duration must not be longer than 366d"},
             Case{R"({"routing_domain":"a"})", "routing_domain",
                  "\"routing_domain\" is not available here"},
             Case{R"({"tenant":{}})", "", "\"tenant\" must be a text"},
             Case{R"([1])", "", "the body must be a JSON object"},
         }) {
        const auto order = read_order(OrderKind::suspend, wrong.body, kNow);
        ASSERT_FALSE(order) << wrong.body;
        EXPECT_EQ(order.error().message, wrong.message);
        EXPECT_EQ(order.error().field, wrong.field);
        EXPECT_EQ(order.error().status, 400);
    }
    EXPECT_EQ(read_order(OrderKind::suspend_path, R"({"tenant":"a"})", kNow).error().field,
              "tenant");
    EXPECT_EQ(read_id("{}").error().message, "id is missing: which one is to end");
    EXPECT_EQ(*read_id(R"({"id":"x"})"), "x");
}

TEST(AdminRequests, a_query_is_decoded) {
    EXPECT_EQ(query_value("a=1&domain=one%2Eexample&b=", "domain"), "one.example");
    EXPECT_EQ(query_value("a=x+y%zz", "a"), "x y%zz");
    EXPECT_EQ(query_value("a=1", "b"), "");
    EXPECT_EQ(query_value("flag", "flag"), "");
    EXPECT_EQ(query_value("a=%4", "a"), "%4");
}

}  // namespace
}  // namespace relay
