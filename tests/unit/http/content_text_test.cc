#include "relay/inject/content_text.h"

#include <string>

#include <gtest/gtest.h>

namespace {

// What a peer gets by DATA: leading dots doubled.
std::string stuffed(const relay::Content& content) {
    std::vector<iovec> parts;
    content.gather_stuffed(parts);
    std::string text;
    for (const iovec& part : parts)
        text.append(static_cast<const char*>(part.iov_base), part.iov_len);
    return text;
}

std::string normal(std::string_view text) {
    relay::Content content;
    const auto facts = relay::append_text(content, text);
    if (!facts) return "refused: " + facts.error();
    content.seal();
    EXPECT_EQ(content.size(), content.to_string().size());
    return content.to_string();
}

TEST(ContentText, EveryLineEndBecomesCrlf) {
    EXPECT_EQ(normal("a: b\n\nc\n"), "a: b\r\n\r\nc\r\n");
    EXPECT_EQ(normal("a: b\r\n\r\nc\r\n"), "a: b\r\n\r\nc\r\n");
    EXPECT_EQ(normal("a: b\r\n\nc\r\nd\n\r\ne"), "a: b\r\n\r\nc\r\nd\r\n\r\ne\r\n");
    EXPECT_EQ(normal("\n"), "\r\n");
}

TEST(ContentText, LoneCrAndNulAreRefused) {
    for (const std::string text : {"a\rb\n", "a\r\r\n", "\r", "a\n\r", "a\r.\r\nb"}) {
        EXPECT_TRUE(normal(text).starts_with("refused: ")) << text;
    }
    EXPECT_TRUE(normal(std::string_view("a\0b\n", 4)).starts_with("refused: "));
    EXPECT_TRUE(normal("a\nb\rc\n").contains("line 2 "));
}

// RFC 5322 section 2.1.1.
TEST(ContentText, LinesOf998OctetsAreTheLongest) {
    const std::string longest(998, 'x');
    EXPECT_EQ(normal("a\n" + longest + "\nb"), "a\r\n" + longest + "\r\nb\r\n");
    EXPECT_EQ(normal(longest + "\r\n"), longest + "\r\n");
    EXPECT_TRUE(normal("a\n" + longest + "y\n")
                    .starts_with("refused: line 2 of the content has 999 octets"));
}

TEST(ContentText, LeadingDotsAreKnown) {
    relay::Content content;
    content.append("Received: x\r\n");
    ASSERT_TRUE(relay::append_text(content, ".\r\n..a\n.\nb.\n."));
    content.seal();
    EXPECT_EQ(content.to_string(), "Received: x\r\n.\r\n..a\r\n.\r\nb.\r\n.\r\n");
    EXPECT_EQ(stuffed(content), "Received: x\r\n..\r\n...a\r\n..\r\nb.\r\n..\r\n");
}

TEST(ContentText, Facts) {
    relay::Content content;
    auto facts = relay::append_text(
        content, "received: a\nReceived: b\n  Received: c\nX: d\n\nReceived: e\n");
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->received_fields, 2U);
    EXPECT_FALSE(facts->eight_bit);
    EXPECT_FALSE(facts->utf8_header);
    facts = relay::append_text(content, "X: d\n\n1234567890\xc3\xa9\n");
    ASSERT_TRUE(facts);
    EXPECT_TRUE(facts->eight_bit);
    EXPECT_FALSE(facts->utf8_header);
    facts = relay::append_text(content, "X: \xc3\xa9\n\nabc");
    ASSERT_TRUE(facts);
    EXPECT_TRUE(facts->eight_bit);
    EXPECT_TRUE(facts->utf8_header);
}

}  // namespace
