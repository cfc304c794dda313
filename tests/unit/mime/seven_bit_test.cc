// SevenBit: what a message with octets above 127 becomes, by RFC 2045, 2046, 2047, 6152.
#include "relay/mime/seven_bit.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "relay/message/content_cursor.h"
#include "tests/unit/mime/mime_reader.h"

namespace relay {
namespace {

struct Result {
    MimeFault fault = MimeFault::none;
    std::string text;
    std::string stuffed;
};

Result convert(const std::string& message, std::size_t step = 1 << 20) {
    Content content;
    auto octets = std::make_unique_for_overwrite<char[]>(message.size());
    std::ranges::copy(message, octets.get());
    content.restore(std::move(octets), message.size());
    SevenBit conversion(content);
    while (!conversion.advance(step)) {
    }
    Result result;
    result.fault = conversion.fault();
    const auto converted = conversion.take();
    if (!converted) return result;
    result.text = converted->to_string();
    result.stuffed = stuffed_text(*converted);
    return result;
}

// Converted, 7-bit, every leaf as it was, and the same however it was cut.
std::string converted(const std::string& message) {
    const Result result = convert(message);
    EXPECT_EQ(to_string(result.fault), "none");
    EXPECT_TRUE(std::ranges::all_of(result.text, [](char c) { return c >= 0; }));
    EXPECT_TRUE(result.text.ends_with("\r\n"));
    EXPECT_EQ(relay_test::MimeReader::read(result.text), relay_test::MimeReader::read(message));
    for (const std::size_t step : {1U, 2U, 3U, 7U, 61U})
        EXPECT_EQ(convert(message, step).text, result.text) << step;
    return result.text;
}

const std::string kText =
    "Gr\xc3\xbc\xc3\x9f"
    "e aus K\xc3\xb6ln, this line is mostly ASCII\r\n";
const std::string kQuoted = "Gr=C3=BC=C3=9Fe aus K=C3=B6ln, this line is mostly ASCII\r\n";

TEST(SevenBit, text_is_quoted_and_relabelled) {
    EXPECT_EQ(converted("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: 8bit\r\nSubject: x\r\n\r\n" +
                        kText),
              "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
              "Content-Transfer-Encoding: quoted-printable\r\nSubject: x\r\n\r\n" +
                  kQuoted);
}

TEST(SevenBit, what_is_missing_is_said) {
    EXPECT_EQ(converted("Subject: x\r\n\r\n" + kText),
              "Subject: x\r\nMIME-Version: 1.0\r\n"
              "Content-Type: text/plain; charset=unknown-8bit\r\n"
              "Content-Transfer-Encoding: quoted-printable\r\n\r\n" +
                  kQuoted);
    EXPECT_EQ(converted("Content-Type: text/html; charset=utf-8\r\n\r\n" + kText),
              "Content-Type: text/html; charset=utf-8\r\nMIME-Version: 1.0\r\n"
              "Content-Transfer-Encoding: quoted-printable\r\n\r\n" +
                  kQuoted);
}

// C10: fields of ours would stand before From and Subject, and an empty line make those body.
TEST(SevenBit, a_header_section_that_breaks_off_is_left_alone) {
    const std::string received = "Received: from a by b; Mon, 30 Nov 2026 09:00:00 +0000\r\n";
    for (const std::string beginning :
         {"\xef\xbb\xbf", "From a@b.example Mon Nov 30 09:00:00 2026\r\n", ">From x\r\n",
          "no field\r\n", ": x\r\n", "Subject\r\n", "Subject x: y\r\n", "\xe9: x\r\n",
          "\t: x\r\n"}) {
        const bool folded = beginning.starts_with('\t');
        const std::string message =
            received + beginning + "From: a@b.example\r\nSubject: x\r\n\r\n" + kText;
        EXPECT_EQ(convert(message).fault, folded ? MimeFault::none : MimeFault::unclear)
            << beginning;
    }
    EXPECT_EQ(convert("MIME-Version: 1.0\r\n" + kText).fault, MimeFault::unclear);
    EXPECT_EQ(
        convert("Content-Type: message/rfc822\r\n\r\nno field\r\nFrom: a@b.example\r\n\r\n" + kText)
            .fault,
        MimeFault::unclear);
}

// Memory beside a content follows its parts, not its lines.
TEST(SevenBit, what_stands_between_parts_is_one_edit) {
    MimeStructure structure;
    structure.feed("Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    for (int i = 0; i < 1000; ++i)
        structure.feed("\xe9\r\nx\r\n");
    structure.feed("--b\r\n\r\nx\r\n--b--\r\n");
    for (int i = 0; i < 1000; ++i)
        structure.feed("\xe9\r\n");
    structure.end();
    EXPECT_EQ(structure.fault(), MimeFault::none);
    EXPECT_LE(structure.edits().size(), 4U);
}

TEST(SevenBit, what_is_smaller_is_taken) {
    std::string russian;
    for (int i = 0; i < 20; ++i)
        russian += "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82\r\n";
    const std::string head = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";
    const std::string text = converted(head + "\r\n" + russian);
    EXPECT_TRUE(text.contains("Content-Transfer-Encoding: base64\r\n\r\n0J/RgNC40LLQtdGC"));
    EXPECT_TRUE(converted(head + "\r\n" + kText).contains("quoted-printable"));
}

TEST(SevenBit, line_ends_of_what_is_no_text_are_data) {
    const std::string text = converted(
        "MIME-Version: 1.0\r\nContent-Type: application/json\r\nContent-Transfer-Encoding: binary"
        "\r\n\r\n{\"a\":\"\xc3\xa9\"}\r\n");
    EXPECT_TRUE(text.ends_with("Content-Transfer-Encoding: base64\r\n\r\neyJhIjoiw6kifQ0K\r\n"));
}

// The example of RFC 2046 section 5.1.1, with an umlaut in its second part.
TEST(SevenBit, parts_are_encoded_where_parts_are_and_nothing_else) {
    const std::string message =
        "From: Nathaniel Borenstein <nsb@bellcore.com>\r\nSubject: Sample message\r\n"
        "MIME-Version: 1.0\r\nContent-type: multipart/mixed; boundary=\"simple boundary\"\r\n\r\n"
        "This is the preamble.  It is to be ignored.\r\n--simple boundary\r\n\r\n"
        "This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.\r\n"
        "--simple boundary\r\nContent-type: text/plain; charset=utf-8\r\n\r\n"
        "This is explicitly typed text, for K\xc3\xb6ln.\r\n"
        "It DOES end with a linebreak.\r\n\r\n"
        "--simple boundary--\r\n\r\nThis is the epilogue.  It is also to be ignored.\r\n";
    std::string wanted = message;
    const std::string place = "charset=utf-8\r\n";
    wanted.insert(wanted.find(place) + place.size(),
                  "Content-Transfer-Encoding: quoted-printable\r\n");
    wanted.replace(wanted.find("\xc3\xb6"), 2, "=C3=B6");
    EXPECT_EQ(converted(message), wanted);
}

TEST(SevenBit, composites_are_never_encoded_and_no_longer_say8bit) {
    const std::string message =
        "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n"
        "Content-Type: multipart/mixed; boundary=outer\r\n\r\n"
        "--outer\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        "Subject: inner\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/alternative; boundary=inner\r\n\r\n"
        "--inner\r\nContent-Transfer-Encoding: 8bit\r\n\r\nplain\r\n"
        "--inner\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" +
        kText + "--inner--\r\n--outer\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--outer--\r\n";
    const std::string text = converted(message);
    EXPECT_FALSE(text.contains("8bit"));
    EXPECT_TRUE(text.contains(
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: inner"));
    EXPECT_TRUE(
        text.contains("image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw=="
                      "\r\n--outer--\r\n"));
}

TEST(SevenBit, a_digest_holds_messages) {
    const std::string text = converted(
        "MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
        "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
        kText + "\r\n--b--\r\n");
    EXPECT_TRUE(text.contains("--b\r\n\r\nSubject: x\r\n"));
    EXPECT_TRUE(text.contains("quoted-printable\r\n\r\n" + kQuoted));
}

TEST(SevenBit, an_outer_boundary_ends_what_is_inside) {
    const std::string text = converted(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\n"
        "Content-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n\r\nnever closed \xe9\r\n"
        "--out \t\r\n\r\nlast \xe9\r\n--out--\r\n");
    EXPECT_TRUE(text.contains("never closed =E9\r\n--out \t\r\n"));
    EXPECT_TRUE(text.contains("last =E9\r\n--out--"));
}

TEST(SevenBit, encoded_parts_with_octets_above127) {
    const std::string head = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: ";
    EXPECT_EQ(converted(head + "quoted-printable\r\n\r\ncaf=C3=A9 and caf\xc3\xa9=\r\n!\r\n"),
              head + "quoted-printable\r\n\r\ncaf=C3=A9 and caf=C3=A9=\r\n!\r\n");
    EXPECT_EQ(convert(head + "base64\r\n\r\n\xc3\xa9\r\n").fault, MimeFault::already_encoded);
    EXPECT_EQ(convert(head + "x-uuencode\r\n\r\n\xc3\xa9\r\n").fault, MimeFault::already_encoded);
}

TEST(SevenBit, what_nobody_reads_is_masked) {
    const std::string text = converted(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npr\xe9"
        "amble\r\n"
        "--b\r\n\r\nx\r\n--b--\r\nepilogu\xe9\r\n");
    EXPECT_TRUE(text.contains("pr?amble\r\n"));
    EXPECT_TRUE(text.ends_with("epilogu?\r\n"));
}

TEST(SevenBit, leading_dots_are_marked_again) {
    const Result result = convert(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n.pre\r\n--b\r\n\r\n"
        ".\xe9\r\n--b\r\n\r\n.\r\n..x\r\n--b--\r\n");
    EXPECT_TRUE(result.stuffed.contains("..pre\r\n"));
    EXPECT_TRUE(result.stuffed.contains("\r\n=2E=E9\r\n"));
    EXPECT_TRUE(result.stuffed.contains("\r\n..\r\n...x\r\n"));
}

TEST(SevenBit, what_is_signed_is_left_alone) {
    const std::string body = "MIME-Version: 1.0\r\n\r\n" + kText;
    EXPECT_EQ(convert("DKIM-Signature: v=1; a=rsa-sha256;\r\n\tb=x\r\n" + body).fault,
              MimeFault::is_signed);
    EXPECT_EQ(convert("ARC-Message-Signature: i=1\r\n" + body).fault, MimeFault::is_signed);
    const auto signed_with = [](const std::string& part, const std::string& beside) {
        return "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n"
               "Content-Type: multipart/signed; boundary=s; micalg=sha-256\r\n\r\n--s\r\n\r\n" +
               part +
               "\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nabc\r\n--s--\r\n"
               "--o\r\n\r\n" +
               beside + "\r\n--o--\r\n";
    };
    EXPECT_EQ(convert(signed_with("\xe9", "x")).fault, MimeFault::is_signed);
    const std::string text = converted(signed_with("signed", "\xe9"));  // a footer, say
    EXPECT_TRUE(text.contains("--s\r\n\r\nsigned\r\n--s\r\n"));
    // A message that is only attached may be changed: nobody checks its signature.
    converted("MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\nDKIM-Signature: v=1\r\n" +
              body);
}

TEST(SevenBit, what_readers_understand_differently_is_left_alone) {
    const std::string mixed = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n";
    EXPECT_EQ(convert(mixed + "\r\n--b\r\n\r\n\xe9\r\n--bc\r\n--b--\r\n").fault,
              MimeFault::unclear);
    EXPECT_EQ(convert(mixed + mixed + "\r\n--b\r\n\r\n\xe9\r\n--b--\r\n").fault,
              MimeFault::unclear);
    EXPECT_EQ(convert("Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\n\xe9\r\n").fault,
              MimeFault::unclear);
    EXPECT_EQ(convert(mixed + "Content-Transfer-Encoding: base64\r\n\r\n--b\r\n\r\n\xe9\r\n").fault,
              MimeFault::unclear);
    EXPECT_EQ(convert("Content-Type: message/delivery-status\r\n\r\nx: \xe9\r\n").fault,
              MimeFault::unclear);
    EXPECT_EQ(convert(mixed + "\r\n--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                              "\r\n\xe9\r\n--b--\r\n")
                  .fault,
              MimeFault::unclear);
    EXPECT_EQ(convert(mixed + "\r\n--b\r\nContent-Disposition: attachment; filename=\xe9\r\n\r\nx"
                              "\r\n--b--\r\n")
                  .fault,
              MimeFault::eight_bit_header);
}

TEST(SevenBit, depth_and_parts_are_bounded) {
    std::string deep = "MIME-Version: 1.0\r\n";
    for (std::size_t i = 0; i <= MimeStructure::kMaxDepth; ++i)
        deep += "Content-Type: message/rfc822\r\n\r\n";
    EXPECT_EQ(convert(deep + "\r\n\xe9\r\n").fault, MimeFault::too_large);
    std::string many = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
    for (std::size_t i = 0; i < MimeStructure::kMaxParts; ++i)
        many += "--b\r\n\r\n\xe9\r\n";
    EXPECT_EQ(convert(many).fault, MimeFault::too_large);
    EXPECT_EQ(convert("a: b\r\n\r\n" + std::string(1001, '\xe9') + "\r\n").fault,
              MimeFault::too_large);
}

TEST(SevenBit, a_field_that_is_folded_is_replaced_whole) {
    EXPECT_EQ(converted("MIME-Version: 1.0\r\nContent-Transfer-Encoding:\r\n 8bit\r\n (x)\r\n"
                        "Subject: x\r\n\r\n" +
                        kText),
              "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\nSubject: x\r\n"
              "\r\n" +
                  kQuoted);
}

}  // namespace
}  // namespace relay
