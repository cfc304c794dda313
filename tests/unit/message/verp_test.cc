#include "relay/message/verp.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(Verp, names_the_recipient_in_the_sender) {
    EXPECT_EQ(verp_sender("news@x.example", "a@b.example"), "news+a=b.example@x.example");
    EXPECT_EQ(verp_sender("news@x.example", "a+c=d@b.example"), "news+a+c=d=b.example@x.example");
}

TEST(Verp, a_token_stands_for_what_does_not_fit) {
    const std::string far = "reader@" + std::string(60, 'x') + ".example";
    const std::string token = verp_sender("news@x.example", far);
    EXPECT_EQ(token, "news+b7d7464da94df77a@x.example");  // stays what it is, in every version
    EXPECT_EQ(verp_sender("news@x.example", far), token);
    EXPECT_NE(verp_sender("news@x.example", "x" + far), token);
    EXPECT_EQ(verp_sender("news@x.example", "READER" + far.substr(6)), token);
    EXPECT_EQ(verp_sender("news@x.example", "\"a b\"@b.example").size(), 31U);
    EXPECT_EQ(verp_sender("news@x.example", "\xc3\xa9@b.example").size(), 31U);
}

TEST(Verp, nothing_is_varied_where_it_cannot_be) {
    EXPECT_EQ(verp_sender("", "a@b.example"), "");
    EXPECT_EQ(verp_sender("\"a b\"@x.example", "a@b.example"), "\"a b\"@x.example");
    const std::string long_sender = std::string(50, 's') + "@x.example";
    EXPECT_EQ(verp_sender(long_sender, "a@b.example"), long_sender);
    const std::string just = std::string(47, 's') + "@x.example";
    EXPECT_LE(verp_sender(just, "abcdef@b.example").find('@'), 64U);
}

}  // namespace
}  // namespace relay
