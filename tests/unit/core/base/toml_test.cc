#include "core/base/toml.h"

#include <string>

#include <gtest/gtest.h>

namespace core {
namespace {

using Kind = TomlValue::Kind;

TEST(Toml, values_know_their_lines) {
    const auto root = parse_toml(
        "a = 1\n[t]\nb = \"x\"\n\nc = [\n 1,\n 2 ]\nd = 1.5\ne = true\n"
        "f = 2026-11-22\n[[l]]\n[[l]]\ng.h = 1\n");
    ASSERT_TRUE(root.has_value());
    EXPECT_EQ(root->find("a")->line, 1);
    EXPECT_EQ(root->find("a")->value.integer, 1);
    const TomlValue& table = root->find("t")->value;
    EXPECT_EQ(table.line, 2);
    EXPECT_EQ(table.find("b")->value.text, "x");
    EXPECT_EQ(table.find("b")->line, 3);
    const TomlValue& list = table.find("c")->value;
    ASSERT_EQ(list.kind, Kind::array);
    EXPECT_EQ(list.items[0].line, 6);
    EXPECT_EQ(list.items[1].line, 7);
    EXPECT_EQ(table.find("d")->value.kind, Kind::real);
    EXPECT_TRUE(table.find("e")->value.boolean);
    EXPECT_EQ(table.find("f")->value.kind, Kind::date);
    EXPECT_EQ(table.find("z"), nullptr);
    ASSERT_EQ(root->find("l")->value.items.size(), 2U);
    EXPECT_EQ(root->find("l")->value.items[1].line, 12);
    EXPECT_EQ(root->find("l")->value.items[1].find("g")->value.find("h")->value.integer, 1);
}

TEST(Toml, errors_know_their_lines) {
    const auto root = parse_toml("a = 1\nb = \n");
    ASSERT_FALSE(root.has_value());
    EXPECT_EQ(root.error().line, 2);
    EXPECT_TRUE(root.error().sentence.ends_with(" (column 5)")) << root.error().sentence;
}

// toml++ 3.3 fails an assertion or reaches the unreachable on these; found by fuzzing.
TEST(Toml, a_key_that_begins_wrong_is_an_error_and_no_abort) {
    for (const char* text : {"[{x]", "[=]", "[.a]", "[[{x]]", "a = 1\n{ = 2", "[a.{]", "x = {=1}",
                             "\xc3\xbc = 1", "a = [\xcf\x9a]"}) {
        EXPECT_FALSE(parse_toml(text).has_value()) << text;
    }
}

TEST(Toml, has_limits) {
    EXPECT_FALSE(parse_toml(std::string(kMostTomlOctets + 1, '\n')).has_value());
    EXPECT_TRUE(parse_toml(std::string(kMostTomlOctets, '\n')).has_value());
    EXPECT_FALSE(parse_toml("a = " + std::string(100'000, '[')).has_value());
    EXPECT_FALSE(parse_toml("\xff = 1").has_value());
}

}  // namespace
}  // namespace core
