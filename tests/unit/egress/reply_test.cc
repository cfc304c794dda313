#include "relay/smtp/reply.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

using Status = ReplyParser::Status;

Status feed(ReplyParser& parser, std::string_view text) {
    return parser.feed(text);
}

TEST(ReplyParser, ReadsMultilineRepliesWithEnhancedCodes) {
    ReplyParser parser;
    ASSERT_EQ(feed(parser, "250-2.1.5 first\r\n250 2.1.5 second\r\n"), Status::complete);
    EXPECT_EQ(parser.reply().code, 250);
    EXPECT_EQ(parser.reply().enhanced, (EnhancedCode{2, 1, 5}));
    EXPECT_EQ(parser.reply().text, "first\nsecond");
}

TEST(ReplyParser, AcceptsBareCodesAndBareLineFeeds) {
    ReplyParser parser;
    EXPECT_EQ(feed(parser, "250\r\n"), Status::complete);
    EXPECT_EQ(feed(parser, "250-a\n250\n"), Status::complete);
    EXPECT_EQ(parser.reply().text, "a\n");
}

TEST(ReplyParser, LeavesTheNextReplyInTheInput) {
    ReplyParser parser;
    std::string_view input = "250 one\r\n354 two\r\n";
    ASSERT_EQ(parser.feed(input), Status::complete);
    EXPECT_EQ(parser.reply().code, 250);
    ASSERT_EQ(parser.feed(input), Status::complete);
    EXPECT_EQ(parser.reply().code, 354);
    EXPECT_TRUE(input.empty());
}

TEST(ReplyParser, EnhancedCodeNeedsASpaceBehindItAndThreeNumbers) {
    for (const char* text : {"5.1", "5.1.", "5.1.1x", "3.1.1 x", "5..1 x", "5.1.1.1"}) {
        EXPECT_EQ(parse_enhanced_code(text).klass, 0) << text;
    }
    EXPECT_EQ(parse_enhanced_code("5.7.515 Access denied"), (EnhancedCode{5, 7, 515}));
    EXPECT_EQ(parse_enhanced_code("4.2.1"), (EnhancedCode{4, 2, 1}));
}

TEST(ReplyParser, RepliesOfHostileLengthAreMalformed) {
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

TEST(ReplyParser, KeepsABoundedText) {
    ReplyParser parser;
    std::string text;
    for (int i = 0; i < 100; ++i)
        text += "550-" + std::string(100, 'x') + "\r\n";
    text += "550 end\r\n";
    ASSERT_EQ(feed(parser, text), Status::complete);
    EXPECT_LE(parser.reply().text.size(), kMaxReplyText + 1);
}

}  // namespace
}  // namespace relay
