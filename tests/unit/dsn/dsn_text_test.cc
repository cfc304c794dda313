#include "relay/dsn/dsn_text.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(DsnText, a_line_from_outside_is_one_clean_line) {
    EXPECT_EQ(clean_line("one\r\ntwo\tthree\x01\x7f", false, 100), "one two three??");
    EXPECT_EQ(clean_line("caf\xc3\xa9 \xff", true, 100), "caf\xc3\xa9 ?");
    EXPECT_EQ(clean_line("caf\xc3\xa9", false, 100), "caf?");
    EXPECT_EQ(clean_line("  a  ", false, 100), "a");
    EXPECT_EQ(clean_line("\xc3\xa9\xc3\xa9", true, 3), "\xc3\xa9");
    EXPECT_EQ(clean_line("", true, 3), "");
}

TEST(DsnText, fields_are_folded_at_blanks) {
    EXPECT_EQ(folded_field("A", "b"), "A: b\r\n");
    EXPECT_EQ(folded_field("A", ""), "A:\r\n");
    std::string words;
    for (int i = 0; i < 60; ++i)
        words += (i == 0 ? "word" : " word");
    const std::string field = folded_field("Diagnostic-Code", words);
    std::string unfolded;
    std::size_t longest = 0;
    for (std::size_t at = 0; at < field.size();) {
        const std::size_t end = field.find("\r\n", at);
        ASSERT_NE(end, std::string::npos);
        longest = std::max(longest, end - at);
        if (at > 0) EXPECT_EQ(field[at], ' ');
        unfolded += field.substr(at, end - at);
        at = end + 2;
    }
    EXPECT_LE(longest, 78U);
    EXPECT_EQ(unfolded, "Diagnostic-Code: " + words);
    // What has no blank is cut before a line becomes too long for SMTP.
    const std::string solid = folded_field("X", std::string(3000, 'x'));
    for (std::size_t at = 0; at < solid.size(); at = solid.find("\r\n", at) + 2)
        EXPECT_LE(solid.find("\r\n", at) - at, 998U);
}

TEST(DsnText, addresses_have_their_type) {
    EXPECT_EQ(typed_address("a@b.example", false), "rfc822; a@b.example");
    EXPECT_EQ(typed_address("\xc3\xa9@b.example", true), "utf-8; \xc3\xa9@b.example");
    EXPECT_EQ(typed_address("\xc3\xa9@b.example", false), "utf-8; \\x{E9}@b.example");
    EXPECT_EQ(typed_address("\xe2\x82\xac\xff@b", false), "utf-8; \\x{20AC}?@b");
    EXPECT_EQ(original_address("rfc822;a+2Bb@c", false), "rfc822; a+b@c");
    EXPECT_EQ(original_address("utf-8;\\x{E9}@c", false), "utf-8; \\x{E9}@c");
    EXPECT_EQ(original_address("utf-8;\xc3\xa9@c", false), "utf-8; \\x{E9}@c");
    EXPECT_EQ(original_address("rfc822;a+0D+0AX:+20y", false), "rfc822; a X: y");
    EXPECT_EQ(original_address("nonsense", false), "");
    // Found by fuzz_dsn_report: what is no xtext is cleaned all the same.
    EXPECT_EQ(original_address("utf-8;\xff=\r\nX: y", false), "utf-8; ?=??X:?y");
}

TEST(DsnText, base64_is_that_of_rfc4648) {
    EXPECT_EQ(base64_lines(""), "");
    EXPECT_EQ(base64_lines("f"), "Zg==\r\n");
    EXPECT_EQ(base64_lines("fo"), "Zm8=\r\n");
    EXPECT_EQ(base64_lines("foobar"), "Zm9vYmFy\r\n");
    const std::string two = base64_lines(std::string(58, '\xff'));
    EXPECT_EQ(two, std::string(76, '/') + "\r\n/w==\r\n");
    EXPECT_EQ(base64_lines(std::string(57, '\xff')), std::string(76, '/') + "\r\n");
}

}  // namespace
}  // namespace relay
