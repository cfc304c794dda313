#include "dns/query_ids.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "core/base/ascii.h"
#include "dns/wire/message.h"

namespace dns {
namespace {

// Among 40,000 drawn at random many would be the same.
TEST(QueryIds, those_in_flight_are_unique_and_come_again_when_given_back) {
    QueryIds ids;
    std::set<std::uint16_t> taken;
    for (int i = 0; i < 40'000; ++i)
        ASSERT_TRUE(taken.insert(ids.take()).second);
    for (const std::uint16_t id : taken)
        ids.give_back(id);
    std::size_t again = 0;
    for (int i = 0; i < 1000; ++i)
        again += taken.contains(ids.take()) ? 1 : 0;
    EXPECT_GT(again, 0U);
}

TEST(QueryIds, mixing_changes_the_case_of_the_question_and_nothing_else) {
    QueryIds ids;
    const std::string name = std::string(60, 'a') + ".example.org";
    const auto query = build_query(7, name, RecordType::mx, {});
    ASSERT_TRUE(query);
    std::set<std::string> forms;
    for (int i = 0; i < 10; ++i) {
        std::string mixed = *query;
        ids.mix_case(mixed);
        const auto read = parse_message(mixed);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->name, name);
        EXPECT_EQ(read->type, RecordType::mx);
        EXPECT_EQ(core::to_lower(mixed), core::to_lower(*query));
        forms.insert(mixed);
    }
    EXPECT_GT(forms.size(), 1U);
}

}  // namespace
}  // namespace dns
