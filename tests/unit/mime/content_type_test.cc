// Content-Type and Content-Transfer-Encoding by RFC 2045 section 5.1 and 6, and RFC 2046 5.1.1.
#include "relay/mime/content_type.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(ContentType, reads_the_examples_of_rfc2045) {
    const auto plain = parse_content_type(" text/plain; charset=us-ascii (Plain text)");
    ASSERT_TRUE(plain);
    EXPECT_TRUE(plain->is("text", "plain"));
    const auto quoted = parse_content_type(" Text/Plain; charset=\"us-ascii\"\r\n");
    ASSERT_TRUE(quoted);
    EXPECT_TRUE(quoted->is("text", "plain"));
}

TEST(ContentType, reads_boundaries_as_rfc2046_writes_them) {
    EXPECT_EQ(parse_content_type(" multipart/mixed; boundary=gc0pJq0M:08jU534c0p"), std::nullopt)
        << "a colon needs quotes";
    EXPECT_EQ(parse_content_type(" multipart/mixed; boundary=\"gc0pJq0M:08jU534c0p\"")->boundary,
              "gc0pJq0M:08jU534c0p");
    EXPECT_EQ(
        parse_content_type(" multipart/mixed;\r\n\tboundary=\"simple boundary\"\r\n")->boundary,
        "simple boundary");
    EXPECT_EQ(parse_content_type("(a (b)) multipart/(c)mixed;boundary = x (\\))")->boundary, "x");
    EXPECT_EQ(parse_content_type("multipart/mixed; boundary=\"a\\\"b\"")->boundary, "a\"b");
}

TEST(ContentType, boundaries_that_readers_do_not_agree_on_are_none) {
    EXPECT_EQ(parse_content_type("multipart/mixed; boundary*0=a; boundary*1=b"), std::nullopt);
    EXPECT_EQ(parse_content_type("multipart/mixed; boundary=a; boundary=b"), std::nullopt);
    EXPECT_EQ(parse_content_type("multipart/mixed")->boundary, "");
    EXPECT_EQ(parse_content_type("multipart/mixed; boundary=\"\"")->boundary, "");
    EXPECT_EQ(parse_content_type("multipart/mixed; boundary=\"a \"")->boundary, "");
    EXPECT_EQ(
        parse_content_type("multipart/mixed; boundary=\"" + std::string(201, 'x') + "\"")->boundary,
        "");
}

TEST(ContentType, nonsense_has_no_type) {
    for (const char* text : {"", "text", "text/", "/plain", "text plain", "text/plain; charset",
                             "text/plain; a=\"b", "text/plain; a=b c"}) {
        EXPECT_EQ(parse_content_type(text), std::nullopt) << text;
    }
    EXPECT_TRUE(parse_content_type("text/html;"));
}

TEST(ContentType, transfer_encodings) {
    EXPECT_EQ(parse_transfer_encoding(" 7BIT\r\n"), TransferEncoding::seven_bit);
    EXPECT_EQ(parse_transfer_encoding(" 8bit"), TransferEncoding::eight_bit);
    EXPECT_EQ(parse_transfer_encoding(" binary"), TransferEncoding::eight_bit);
    EXPECT_EQ(parse_transfer_encoding(" Quoted-Printable (x)"), TransferEncoding::quoted_printable);
    EXPECT_EQ(parse_transfer_encoding("base64"), TransferEncoding::base64);
    for (const char* text : {"", "x-uuencode", "8 bit", "8bit; x=y", "base64 base64"})
        EXPECT_EQ(parse_transfer_encoding(text), TransferEncoding::unknown) << text;
}

}  // namespace
}  // namespace relay
