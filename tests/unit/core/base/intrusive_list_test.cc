#include "core/base/intrusive_list.h"

#include <vector>

#include <gtest/gtest.h>

namespace core {
namespace {

struct ListTag;

struct Item : ListLink<ListTag> {
    explicit Item(int number) : value(number) {}
    int value;
};

using List = IntrusiveList<Item, ListTag>;

std::vector<int> drain(List& list) {
    std::vector<int> values;
    while (!list.empty())
        values.push_back(list.pop_front().value);
    return values;
}

TEST(IntrusiveList, keeps_order_at_both_ends) {
    Item a{1}, b{2}, c{3};
    List list;
    list.push_back(b);
    list.push_back(c);
    list.push_front(a);
    EXPECT_EQ(list.front().value, 1);
    EXPECT_EQ(list.back().value, 3);
    EXPECT_EQ(drain(list), (std::vector{1, 2, 3}));
    EXPECT_FALSE(a.linked());
}

TEST(IntrusiveList, an_element_leaves_without_its_list) {
    Item a{1}, b{2}, c{3};
    List list;
    for (Item* item : {&a, &b, &c})
        list.push_back(*item);
    b.unlink();
    EXPECT_FALSE(b.linked());
    EXPECT_EQ(drain(list), (std::vector{1, 3}));
}

TEST(IntrusiveList, splice_moves_all_in_order_and_empties_the_other) {
    Item a{1}, b{2}, c{3}, d{4};
    List first, second;
    first.push_back(a);
    first.push_back(b);
    second.push_back(c);
    second.push_back(d);
    first.splice_back(second);
    EXPECT_TRUE(second.empty());
    first.splice_back(second);  // of an empty list: nothing
    EXPECT_EQ(drain(first), (std::vector{1, 2, 3, 4}));
}

TEST(IntrusiveList, the_visited_element_may_leave) {
    Item a{1}, b{2}, c{3};
    List list;
    for (Item* item : {&a, &b, &c})
        list.push_back(*item);
    list.for_each([](Item& item) {
        if (item.value != 2) List::remove(item);
    });
    EXPECT_EQ(drain(list), (std::vector{2}));
}

TEST(IntrusiveListDeathTest, destroying_a_linked_element_is_a_bug) {
    EXPECT_DEATH(
        {
            List list;
            Item item{1};
            list.push_back(item);
        },
        "linked");
}

}  // namespace
}  // namespace core
