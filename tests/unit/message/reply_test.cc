#include "relay/message/reply.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(Reply, is_written_with_the_codes_that_it_has) {
    EXPECT_EQ(to_string({550, {5, 1, 1}, "no such user"}), "550 5.1.1 no such user");
    EXPECT_EQ(to_string({421, {}, "busy\nlater"}), "421 busy\nlater");
    EXPECT_EQ(to_string({0, {5, 4, 7}, "expired"}), "5.4.7 expired");
    EXPECT_EQ(to_string({0, {}, ""}), "");
}

TEST(Reply, a_view_and_a_copy_say_the_same) {
    const Reply reply{452, {4, 2, 2}, "mailbox full"};
    const ReplyView view = view_of(reply);
    EXPECT_EQ(view.text.data(), reply.text.data());
    EXPECT_EQ(copy_of(view), reply);
    EXPECT_NE(copy_of({452, {4, 2, 2}, "mailbox fuller"}), reply);
    EXPECT_NE(copy_of({452, {5, 2, 2}, "mailbox full"}), reply);
}

TEST(Reply, the_first_digit_says_what_it_is) {
    EXPECT_TRUE((Reply{250, {}, {}}.positive()));
    EXPECT_TRUE((Reply{354, {}, {}}.intermediate()));
    EXPECT_TRUE((Reply{499, {}, {}}.transient()));
    EXPECT_TRUE((Reply{599, {}, {}}.permanent()));
    const Reply none;
    EXPECT_FALSE(none.positive() || none.intermediate() || none.transient() || none.permanent());
}

}  // namespace
}  // namespace relay
