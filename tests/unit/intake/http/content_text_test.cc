#include "relay/intake/http/content_text.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "relay/message/content_cursor.h"

namespace {

// What a peer gets by DATA: leading dots doubled.
std::string stuffed(const relay::Content& content) {
    return relay::stuffed_text(content);
}

// What text becomes, or the refusal; the same in pieces of any size.
std::string normal(std::string_view text, std::size_t piece = SIZE_MAX) {
    relay::Content content;
    relay::ContentText writer(content);
    for (std::string_view rest = text; !rest.empty();) {
        const std::string_view part = rest.substr(0, piece);
        rest.remove_prefix(part.size());
        if (const auto fault = writer.feed(part)) return "refused: " + *fault;
    }
    if (const auto fault = writer.finish()) return "refused: " + *fault;
    content.seal();
    EXPECT_EQ(content.size(), content.to_string().size());
    if (piece == SIZE_MAX) {
        for (const std::size_t size : {1U, 2U, 3U, 7U, 500U})
            EXPECT_EQ(normal(text, size), content.to_string()) << size;
    }
    return content.to_string();
}

TEST(ContentText, every_line_end_becomes_crlf) {
    EXPECT_EQ(normal("a: b\n\nc\n"), "a: b\r\n\r\nc\r\n");
    EXPECT_EQ(normal("a: b\r\n\r\nc\r\n"), "a: b\r\n\r\nc\r\n");
    EXPECT_EQ(normal("a: b\r\n\nc\r\nd\n\r\ne"), "a: b\r\n\r\nc\r\nd\r\n\r\ne\r\n");
}

TEST(ContentText, a_lone_cr_and_nul_are_refused) {
    for (const std::string text : {"a\rb\n", "a\r\r\n", "\r", "a\n\r", "a\r.\r\nb"}) {
        EXPECT_TRUE(normal("a: b\n" + text).starts_with("refused: ")) << text;
        EXPECT_TRUE(normal("a: b\n" + text, 1).starts_with("refused: ")) << text;
    }
    EXPECT_TRUE(normal(std::string_view("a:\0b\n", 5)).starts_with("refused: "));
    EXPECT_TRUE(normal("a: \nb\rc\n").contains("line 2 "));
}

// RFC 5322 section 2.1.1.
TEST(ContentText, lines_of_998_octets_are_the_longest) {
    const std::string longest(998, 'x');
    EXPECT_EQ(normal("a:\n" + longest + "\nb"), "a:\r\n" + longest + "\r\nb\r\n");
    EXPECT_EQ(normal("a:\n" + longest + "\r\n"), "a:\r\n" + longest + "\r\n");
    for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{998}}) {
        EXPECT_TRUE(normal("a:\n" + longest + "y\n", piece)
                        .starts_with("refused: line 2 of the content has 999 octets"));
    }
}

TEST(ContentText, leading_dots_are_known) {
    for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{3}}) {
        relay::Content content;
        content.append("Received: x\r\n");
        relay::ContentText writer(content);
        for (std::string_view rest = "a:\n\n.\r\n..a\n.\nb.\n."; !rest.empty();) {
            ASSERT_FALSE(writer.feed(rest.substr(0, piece)));
            rest.remove_prefix(std::min(piece, rest.size()));
        }
        ASSERT_FALSE(writer.finish());
        content.seal();
        EXPECT_EQ(content.to_string(), "Received: x\r\na:\r\n\r\n.\r\n..a\r\n.\r\nb.\r\n.\r\n");
        EXPECT_EQ(stuffed(content), "Received: x\r\na:\r\n\r\n..\r\n...a\r\n..\r\nb.\r\n..\r\n");
    }
}

TEST(ContentText, knows_received_fields_and_where_octets_above_127_stand) {
    const auto of = [](std::string_view text) {
        relay::Content content;
        relay::ContentText writer(content);
        EXPECT_FALSE(writer.feed(text));
        EXPECT_FALSE(writer.finish());
        return std::tuple(writer.header().received_fields(), writer.eight_bit(),
                          writer.header().has_utf8());
    };
    EXPECT_EQ(of("received: a\nReceived: b\n  Received: c\nX: d\n\nReceived: e\n"),
              std::tuple(2U, false, false));
    EXPECT_EQ(of("X: d\n\n1234567890\xc3\xa9\n"), std::tuple(0U, true, false));
    EXPECT_EQ(of("X: \xc3\xa9\n\nabc"), std::tuple(0U, true, true));
}

// Q2, C10
TEST(ContentText, content_without_a_header_section_is_refused) {
    for (const std::string text : {"", "\n", "\nSubject: x\n", "hello\n", "hello", "Hello: \n"}) {
        EXPECT_EQ(normal(text).contains("has no header section"), text != "Hello: \n") << text;
    }
    EXPECT_TRUE(normal("\xef\xbb\xbfSubject: x\n\n").contains("byte order mark"));
    EXPECT_TRUE(normal("From a@b.example Mon\nSubject: x\n\n").contains("mailbox file"));
    EXPECT_TRUE(normal(">From a@b.example Mon\nSubject: x\n\n").contains("mailbox file"));
}

}  // namespace
