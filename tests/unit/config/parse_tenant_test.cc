// Tables [[tenant]] of the configuration.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/config/parse.h"
#include "tests/unit/config/parsed_text.h"

namespace relay {
namespace {

using namespace std::chrono_literals;

TEST(ParseTenant, tenants_have_tables) {
    const Config config = parsed(kLeast +
                                 "[[tenant]]\nname = \"news\"\nweight = 10\npriority = \"bulk\"\n"
                                 "retry_intervals = [\"5m\", \"30m\"]\nbounces = \"mail\"\n"
                                 "[[tenant]]\nname = \"default\"\n");
    ASSERT_EQ(config.tenants.size(), 2U);
    const TenantPolicy& news = config.tenants[0].policy;
    EXPECT_EQ(news.name, "news");
    EXPECT_EQ(news.weight, 10U);
    EXPECT_EQ(news.priority, Priority::bulk);
    EXPECT_EQ(news.retry_intervals, (std::vector<core::Duration>{5min, 30min}));
    EXPECT_EQ(news.bounces, BouncePolicy::mail);
    EXPECT_EQ(config.tenants[0].line, 5);
    const TenantPolicy& other = config.tenants[1].policy;
    EXPECT_EQ(other.weight, 1U);
    EXPECT_EQ(other.priority, Priority::normal);
    EXPECT_FALSE(other.bounces.has_value());
}

TEST(ParseTenant, mistakes_in_a_tenant_are_named) {
    const auto of = [](const std::string& lines) { return problem_of("[[tenant]]\n" + lines); };
    EXPECT_TRUE(has(of("weight = 2\n"), "t.toml:5: [[tenant]] needs a name such as"));
    const std::string named = "name = \"a\"\n";
    EXPECT_TRUE(has(of("name = \"\"\n"), "[[tenant]] name must have 1 to 128 octets"));
    EXPECT_TRUE(has(of("name = \"a\\tb\"\n"), "must be text without control characters"));
    EXPECT_TRUE(has(of(named + "weight = 0\n"), "t.toml:7: [[tenant]] weight"));
    EXPECT_TRUE(has(of(named + "weight = 1001\n"), "[[tenant]] weight"));
    EXPECT_TRUE(has(of(named + "priority = \"low\"\n"), "[[tenant]] priority"));
    EXPECT_TRUE(has(of(named + "bounces = \"never\"\n"), "[[tenant]] bounces"));
    EXPECT_TRUE(has(of(named + "retry_intervals = [\"0s\"]\n"), "is too short"));
    EXPECT_TRUE(has(of(named + "max_message_rate = \"many\"\n"), "[[tenant]] max_message_rate"));
    EXPECT_TRUE(has(of(named + "return_domain = \"a b\"\n"), "is not a domain such as"));
    EXPECT_TRUE(has(of(named + "share = 3\n"), "[[tenant]]"));
    EXPECT_TRUE(has(of(named + "[[tenant]]\n" + named), "two tenants have the name \"a\""));
}

TEST(ParseTenant, keys_of_a_tenant_without_effect_are_a_warning) {
    const std::string lines =
        "[[tenant]]\nname = \"a\"\npool = \"default\"\nmax_message_rate = \"5/s\"\n"
        "suppression = true\nreturn_domain = \"B.example\"\n";
    const ParsedConfig read = read_config(kLeast + lines, "t.toml");
    ASSERT_TRUE(read.problems.empty());
    ASSERT_EQ(read.warnings.size(), 2U);
    EXPECT_EQ(read.warnings[0].to_string(),
              "t.toml:9: [[tenant]] suppression of \"a\" has no effect in this version");
    const TenantPolicy& kept = read.config.tenants[0].policy;
    EXPECT_EQ(kept.pool, "default");
    EXPECT_EQ(kept.max_message_rate->count, 5U);
    EXPECT_TRUE(kept.suppression);
    EXPECT_EQ(kept.return_domain, "b.example");
}

}  // namespace
}  // namespace relay
