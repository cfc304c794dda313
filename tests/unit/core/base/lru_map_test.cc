#include "core/base/lru_map.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

std::vector<std::string> names(core::LruMap<int>& map) {
    std::vector<std::string> found;
    for (const auto& entry : map)
        found.push_back(entry.name);
    return found;
}

TEST(LruMap, what_is_touched_is_the_first_and_the_rest_keeps_its_order) {
    core::LruMap<int> map;
    for (const char* name : {"a", "b", "c"})
        map.touch(name)->value = *name;
    EXPECT_EQ(names(map), (std::vector<std::string>{"c", "b", "a"}));
    EXPECT_EQ(map.touch("a")->value, 'a');  // it is the same entry
    EXPECT_EQ(names(map), (std::vector<std::string>{"a", "c", "b"}));
    EXPECT_EQ(map.size(), 3U);
    EXPECT_EQ(map.oldest()->name, "b");
}

TEST(LruMap, finding_is_no_use) {
    core::LruMap<int> map;
    map.touch("a")->value = 1;
    map.touch("b");
    ASSERT_NE(map.find("a"), nullptr);
    EXPECT_EQ(*map.find("a"), 1);
    EXPECT_EQ(map.find("c"), nullptr);
    EXPECT_EQ(map.entry_of("c"), map.end());
    EXPECT_EQ(map.oldest()->name, "a");
    map.use(map.entry_of("a"));
    EXPECT_EQ(map.oldest()->name, "b");
}

TEST(LruMap, what_is_erased_is_not_found_and_may_come_again) {
    core::LruMap<int> map;
    map.touch("a")->value = 1;
    map.touch("b")->value = 2;
    map.erase(map.oldest());
    EXPECT_EQ(map.find("a"), nullptr);
    EXPECT_EQ(map.size(), 1U);
    EXPECT_FALSE(map.erase("a"));
    EXPECT_EQ(map.touch("a")->value, 0);
    EXPECT_TRUE(map.erase("b"));
    EXPECT_EQ(names(map), (std::vector<std::string>{"a"}));
}

// The index looks at names where they are.
TEST(LruMap, names_outlive_what_they_were_made_from) {
    core::LruMap<int> map;
    for (int i = 0; i < 1000; ++i)
        map.touch(std::to_string(i))->value = i;
    for (int i = 0; i < 1000; ++i)
        ASSERT_EQ(*map.find(std::to_string(i)), i);
    while (map.size() > 10)
        map.erase(map.oldest());
    EXPECT_EQ(map.find("989"), nullptr);
    EXPECT_EQ(*map.find("990"), 990);
}

}  // namespace
