#include "relay/routing/rollups.h"

#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

ShapingPolicy policy_of(const std::string& text) {
    auto loaded = ShapingPolicy::parse({{"s.toml", text}}, {});
    if (!loaded) ADD_FAILURE() << loaded.error().front().to_string();
    return loaded ? std::move(loaded->policy) : ShapingPolicy();
}

TEST(Rollups, tables_that_say_so_are_looked_up_once) {
    Rollups rollups;
    rollups.begin(
        policy_of("[\"b.example\"]\nmx_rollup = true\n[\"c.example\"]\n"
                  "[\"a.example\"]\nmx_rollup = true\n"
                  "[\"d.example\"]\nmx_rollup = false\n"));
    EXPECT_EQ(rollups.next(), "a.example");
    EXPECT_EQ(rollups.next(), "b.example");
    EXPECT_EQ(rollups.next(), std::nullopt);
}

TEST(Rollups, a_site_has_the_first_of_the_tables_whose_mail_goes_there) {
    Rollups rollups;
    EXPECT_TRUE(rollups.note("b.example", "mx"));
    EXPECT_FALSE(rollups.note("b.example", "mx"));
    EXPECT_EQ(rollups.table_of("mx"), "b.example");
    EXPECT_FALSE(rollups.note("c.example", "mx"));  // the site stays as it is
    EXPECT_EQ(rollups.table_of("mx"), "b.example");
    EXPECT_TRUE(rollups.note("a.example", "mx"));
    EXPECT_EQ(rollups.table_of("mx"), "a.example");
    EXPECT_EQ(rollups.table_of("other"), "");
}

TEST(Rollups, a_domain_that_moves_leaves_its_site_to_the_next_table) {
    Rollups rollups;
    rollups.note("a.example", "mx");
    rollups.note("b.example", "mx");
    EXPECT_TRUE(rollups.note("a.example", "new"));
    EXPECT_EQ(rollups.table_of("mx"), "b.example");
    EXPECT_EQ(rollups.table_of("new"), "a.example");
    EXPECT_TRUE(rollups.note("a.example", ""));
    EXPECT_EQ(rollups.table_of("new"), "");
    rollups.begin(ShapingPolicy());
    EXPECT_EQ(rollups.table_of("mx"), "");
}

}  // namespace
}  // namespace relay
