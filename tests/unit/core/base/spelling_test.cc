#include "core/base/spelling.h"

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace core {
namespace {

TEST(Spelling, distance_is_the_number_of_letters_to_change) {
    EXPECT_EQ(edit_distance("", ""), 0U);
    EXPECT_EQ(edit_distance("abc", ""), 3U);
    EXPECT_EQ(edit_distance("", "abc"), 3U);
    EXPECT_EQ(edit_distance("check", "check"), 0U);
    EXPECT_EQ(edit_distance("chekc", "check"), 1U);  // neighbours that changed places
    EXPECT_EQ(edit_distance("conection_limit", "connection_limit"), 1U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
    EXPECT_EQ(edit_distance("sitting", "kitten"), 3U);
}

TEST(Spelling, nearest_guesses_only_what_is_near) {
    const std::vector<std::string> keys{"hostname", "shards", "data_dir"};
    EXPECT_EQ(nearest("hostnmae", keys), "hostname");
    EXPECT_EQ(nearest("shard", keys), "shards");
    EXPECT_EQ(nearest("datadir", keys), "data_dir");
    EXPECT_EQ(nearest("zebra", keys), "");
    EXPECT_EQ(nearest(std::string(10000, 'h'), keys), "");
    EXPECT_EQ(nearest("", keys), "");
    constexpr std::array<std::string_view, 2> kCommands{"serve", "check"};
    EXPECT_EQ(nearest("chekc", kCommands), "check");
    EXPECT_EQ(nearest("server", kCommands), "serve");
    EXPECT_EQ(nearest("reload", kCommands), "");
}

}  // namespace
}  // namespace core
