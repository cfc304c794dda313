#include "relay/smtp/reply_parser.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

using Status = ReplyParser::Status;

Status feed(ReplyParser& parser, std::string_view text) {
    return parser.feed(text);
}

TEST(ReplyParser, reads_multiline_replies_with_enhanced_codes) {
    ReplyParser parser;
    ASSERT_EQ(feed(parser, "250-2.1.5 first\r\n250 2.1.5 second\r\n"), Status::complete);
    EXPECT_EQ(parser.reply().code, 250);
    EXPECT_EQ(parser.reply().enhanced, (EnhancedCode{2, 1, 5}));
    EXPECT_EQ(parser.reply().text, "first\nsecond");
}

TEST(ReplyParser, accepts_bare_codes_and_bare_line_feeds) {
    ReplyParser parser;
    EXPECT_EQ(feed(parser, "250\r\n"), Status::complete);
    EXPECT_EQ(feed(parser, "250-a\n250\n"), Status::complete);
    EXPECT_EQ(parser.reply().text, "a\n");
}

TEST(ReplyParser, leaves_the_next_reply_in_the_input) {
    ReplyParser parser;
    std::string_view input = "250 one\r\n354 two\r\n";
    ASSERT_EQ(parser.feed(input), Status::complete);
    EXPECT_EQ(parser.reply().code, 250);
    ASSERT_EQ(parser.feed(input), Status::complete);
    EXPECT_EQ(parser.reply().code, 354);
    EXPECT_TRUE(input.empty());
}

TEST(ReplyParser, an_enhanced_code_is_three_numbers_and_a_space) {
    for (const char* text : {"5.1", "5.1.", "5.1.1x", "3.1.1 x", "5..1 x", "5.1.1.1"}) {
        EXPECT_EQ(parse_enhanced_code(text).klass, 0) << text;
    }
    EXPECT_EQ(parse_enhanced_code("5.7.515 Access denied"), (EnhancedCode{5, 7, 515}));
    EXPECT_EQ(parse_enhanced_code("4.2.1"), (EnhancedCode{4, 2, 1}));
}

TEST(ReplyParser, replies_of_hostile_length_are_malformed) {
    ReplyParser endless;
    EXPECT_EQ(feed(endless, std::string(kMaxReplyLine + 1, 'x')), Status::malformed);
    ReplyParser drip;
    Status status = Status::need_input;
    for (std::size_t i = 0; i <= kMaxReplyLine && status == Status::need_input; ++i) {
        status = feed(drip, "x");
    }
    EXPECT_EQ(status, Status::malformed);
    ReplyParser lines;
    std::string many;
    for (std::size_t i = 0; i <= kMaxReplyLines; ++i)
        many += "250-x\r\n";
    EXPECT_EQ(feed(lines, many), Status::malformed);
}

TEST(ReplyParser, keeps_a_bounded_text) {
    ReplyParser parser;
    std::string text;
    for (int i = 0; i < 100; ++i)
        text += "550-" + std::string(100, 'x') + "\r\n";
    text += "550 end\r\n";
    ASSERT_EQ(feed(parser, text), Status::complete);
    EXPECT_EQ(parser.reply().text.size(), kMaxReplyRead);
}

// C8: RFC 5321 section 4.2.1.
TEST(ReplyParser, lines_with_one_first_digit_are_one_reply_and_the_last_code_counts) {
    ReplyParser parser;
    ASSERT_EQ(feed(parser, "250-taken\r\n251 forwarded\r\n"), Status::complete);
    EXPECT_EQ(parser.reply().code, 251);
    ASSERT_EQ(feed(parser, "550-5.1.1 no\r\n550-really\r\n554 5.7.1 spam\r\n"), Status::complete);
    EXPECT_EQ(parser.reply().code, 554);
    EXPECT_EQ(parser.reply().enhanced, (EnhancedCode{5, 7, 1}));
    ASSERT_EQ(feed(parser, "451-4.7.1 wait\r\n450 a little\r\n"), Status::complete);
    EXPECT_EQ(parser.reply().code, 450);
    EXPECT_EQ(parser.reply().enhanced, EnhancedCode{});
    for (const char* text : {"250-a\r\n550 b\r\n", "450-a\r\n550 b\r\n", "250-a\r\n354 b\r\n"}) {
        ReplyParser other;
        EXPECT_EQ(feed(other, text), Status::malformed) << text;
    }
}

TEST(ReplyParser, blank_lines_before_and_in_a_reply_are_skipped_up_to_a_limit) {
    ReplyParser parser;
    ASSERT_EQ(feed(parser, "\r\n \t\r\n\n250-a\r\n\r\n250 b\r\n"), Status::complete);
    EXPECT_EQ(parser.reply().text, "a\nb");
    std::string most;
    for (std::size_t i = 0; i < kMaxBlankLines; ++i)
        most += "\r\n";
    EXPECT_EQ(feed(parser, most + "250 ok\r\n"), Status::complete);  // counted for each reply
    EXPECT_EQ(feed(parser, most + "250 ok\r\n"), Status::complete);
    EXPECT_EQ(feed(parser, most + "\r\n"), Status::malformed);
}

TEST(ReplyParser, harmless_malformations_are_read_as_they_are_meant) {
    for (const char* text : {"250\tok\r\n", "250 ok\r\r\n", "250 ok\n", "250 ok  \r\n", "250 \r\n",
                             "250\r\n", "250-\r\n250\r\n"}) {
        ReplyParser parser;
        EXPECT_EQ(feed(parser, text), Status::complete) << text;
        EXPECT_EQ(parser.reply().code, 250) << text;
    }
}

// C1: however long, wherever its octets are cut.
TEST(ReplyParser, every_keyword_of_the_longest_reply_to_ehlo_is_read) {
    std::string text = "250-mx\r\n";
    for (std::size_t i = 0; i < kMaxReplyLines - 5; ++i)
        text += "250-X" + std::string(kMaxReplyLine - 8, 'x') + "\r\n";
    text += "250-8bitmime\r\n250-SIZE\t10240000\r\n250-AUTH " + std::string(4000, 'x') +
            " PLAIN\r\n250 STARTTLS \r\n";
    for (const std::size_t piece : {text.size(), std::size_t{1000}, std::size_t{1}}) {
        ReplyParser parser;
        parser.expect_keywords(true);
        Status status = Status::need_input;
        for (std::size_t at = 0; at < text.size() && status == Status::need_input; at += piece)
            status = feed(parser, std::string_view(text).substr(at, piece));
        ASSERT_EQ(status, Status::complete);
        const Extensions& found = parser.keywords();
        EXPECT_TRUE(found.starttls && found.eight_bit && found.size);
        EXPECT_EQ(found.size_limit, 10'240'000U);
        EXPECT_EQ(found.auth, "PLAIN");
        EXPECT_LE(parser.reply().text.size(), kMaxReplyRead);
    }
}

}  // namespace
}  // namespace relay
