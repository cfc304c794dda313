#include "dns/wire/wire_name.h"

#include <string>

#include <gtest/gtest.h>

#include "dns/wire/message.h"
#include "dns/wire/wire_reader.h"

namespace dns {
namespace {

TEST(WireName, text_becomes_labels_and_comes_back_in_lower_case) {
    const auto wire = encode_name("Mail.Example.ORG.");
    ASSERT_TRUE(wire);
    EXPECT_EQ(*wire, std::string("\4Mail\7Example\3ORG\0", 18));
    EXPECT_EQ(WireReader(*wire, 0, wire->size()).name(), "mail.example.org");
    EXPECT_EQ(encode_name("."), std::string(1, '\0'));
}

TEST(WireName, other_octets_are_escaped_by_their_number) {
    std::string text;
    for (const char octet : {'A', '-', '_', '.', '\\', '\0', '\xff'})
        append_octet(text, octet);
    EXPECT_EQ(text, "a-_\\046\\092\\000\\255");
    const auto wire = encode_name(text);
    ASSERT_TRUE(wire);
    EXPECT_EQ(*wire, std::string("\7a-_.\\\0\xff\0", 9));
}

TEST(WireName, what_cannot_be_a_name_is_refused) {
    const std::string label(kMaxLabelOctets, 'x');
    EXPECT_TRUE(encode_name(label));
    EXPECT_FALSE(encode_name(label + "x"));
    const std::string longest = label + '.' + label + '.' + label + '.';
    EXPECT_TRUE(encode_name(longest + std::string(61, 'y')));
    EXPECT_FALSE(encode_name(longest + std::string(62, 'y')));
    for (const char* wrong : {"", "a..b", ".a", "\\25", "\\256", "\\a00"})
        EXPECT_FALSE(encode_name(wrong)) << wrong;
}

}  // namespace
}  // namespace dns
