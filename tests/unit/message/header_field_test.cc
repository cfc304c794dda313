#include "relay/message/header_field.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(HeaderField, finds_the_first_of_its_name) {
    const std::string_view head =
        "Received: from a\r\n\tby b\r\nmessage-id:  <1@x>  \r\nMessage-ID: <2@x>\r\n"
        "References: <a>\r\n <b>\r\nEmpty:\r\n\r\nMessage-ID: <body@x>\r\n";
    EXPECT_EQ(header_field(head, "Message-ID"), "<1@x>");
    EXPECT_EQ(header_field(head, "received"), "from a\r\n\tby b");
    EXPECT_EQ(header_field(head, "References"), "<a>\r\n <b>");
    EXPECT_EQ(header_field(head, "Empty"), "");
    EXPECT_EQ(header_field(head, "Message"), "");
}

TEST(HeaderField, stops_where_the_header_section_stops) {
    EXPECT_EQ(header_field("A: 1\r\n\r\nB: 2\r\n", "B"), "");
    EXPECT_EQ(header_field("\r\nB: 2\r\n", "B"), "");
    EXPECT_EQ(header_field("A: 1\r\nB: 2", "B"), "2");  // cut
    EXPECT_EQ(header_field("no field\r\nB: 2\r\n", "B"), "2");
    EXPECT_EQ(header_field("", "B"), "");
    EXPECT_EQ(header_section("A: 1\r\n\r\nbody"), "A: 1\r\n");
    EXPECT_EQ(header_section("\r\nbody"), "");
    EXPECT_EQ(header_section("A: 1\r\n"), "A: 1\r\n");
}

}  // namespace
}  // namespace relay
