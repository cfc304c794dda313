// Quoted-printable and base64 against RFC 2045 sections 6.7 and 6.8 and a decoder of our own.
#include "relay/mime/transfer_encoding.h"

#include <gtest/gtest.h>

#include "core/base/prng.h"
#include "tests/unit/mime/mime_reader.h"

namespace relay {
namespace {

using relay_test::decode_base64;
using relay_test::decode_quoted_printable;

std::string as_quoted(std::string_view text,
                      QuotedPrintable::Input input = QuotedPrintable::Input::text,
                      std::size_t piece = 1000) {
    QuotedPrintable encoder(input);
    std::string out;
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size())))
        encoder.feed(text.substr(0, piece), out);
    encoder.finish(out);
    return out;
}

std::string base64(std::string_view text, std::size_t piece = 1000) {
    Base64 encoder;
    std::string out;
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size())))
        encoder.feed(text.substr(0, piece), out);
    encoder.finish(out);
    return out;
}

std::size_t longest_line(std::string_view text) {
    std::size_t longest = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find("\r\n"), text.size());
        longest = std::max(longest, end);
        text.remove_prefix(std::min(end + 2, text.size()));
    }
    return longest;
}

TEST(QuotedPrintable, encodes_by_the_rules_of_rfc2045) {
    EXPECT_EQ(as_quoted("Now's the time =\r\n"), "Now's the time =3D\r\n");
    EXPECT_EQ(as_quoted("caf\xc3\xa9\r\n"), "caf=C3=A9\r\n");
    EXPECT_EQ(as_quoted("blank \r\ntab\t\r\nin the middle\tof it\r\n"),
              "blank=20\r\ntab=09\r\nin the middle\tof it\r\n");
    EXPECT_EQ(as_quoted("no line end "), "no line end=20");
    EXPECT_EQ(as_quoted(std::string(76, 'x') + "\r\n"), std::string(76, 'x') + "\r\n");
    EXPECT_EQ(as_quoted(std::string(77, 'x') + "\r\n"), std::string(75, 'x') + "=\r\nxx\r\n");
    EXPECT_EQ(as_quoted(std::string(75, 'x') + "=\r\n"), std::string(75, 'x') + "=\r\n=3D\r\n");
    EXPECT_EQ(as_quoted("\x01\x7f\r\n\r\n"), "=01=7F\r\n\r\n");
}

TEST(QuotedPrintable, no_line_begins_with_what_misleads) {
    EXPECT_EQ(as_quoted(".\r\n..\r\n"), "=2E\r\n=2E.\r\n");
    EXPECT_EQ(as_quoted("From me\r\nFrom: me\r\n"), "=46rom me\r\nFrom: me\r\n");
    EXPECT_EQ(as_quoted("-- \r\n-\r\n--b\r\n"), "=2D-=20\r\n-\r\n=2D-b\r\n");
    EXPECT_EQ(as_quoted(std::string(75, 'x') + "--boundary\r\n"),
              std::string(75, 'x') + "=\r\n=2D-boundary\r\n");
    EXPECT_EQ(as_quoted(std::string(75, 'x') + ".yz\r\n"), std::string(75, 'x') + "=\r\n=2Eyz\r\n");
}

TEST(QuotedPrintable, mends_what_is_encoded_already) {
    using enum QuotedPrintable::Input;
    EXPECT_EQ(as_quoted("a=3Db \xc3\xa9=\r\nsoft\r\n", mend), "a=3Db =C3=A9=\r\nsoft\r\n");
    EXPECT_EQ(as_quoted("equals =x and =\t\r\n.\xe9\r\n", mend), "equals =3Dx and =\t\r\n.=E9\r\n");
    EXPECT_EQ(as_quoted("trailing \xe9 \t\r\n", mend), "trailing =E9 \t\r\n");
    const std::string wide = std::string(74, 'x') + "=C3=A9";
    EXPECT_EQ(as_quoted(wide, mend), std::string(74, 'x') + "=\r\n=C3=A9");
}

TEST(QuotedPrintable, whatever_is_encoded_comes_back) {
    core::Prng prng(7);
    constexpr std::string_view kOctets = "ab =\t.-F\xc3\xa9\xff\x01\r";
    for (int round = 0; round < 3000; ++round) {
        std::string text;
        while (prng.below(40) != 0) {
            for (std::uint64_t i = prng.below(prng.below(8) == 0 ? 300 : 30); i > 0; --i)
                text += kOctets[prng.below(kOctets.size() - 1)];
            text += "\r\n";
        }
        const std::string once = as_quoted(text);
        EXPECT_EQ(decode_quoted_printable(once), text);
        EXPECT_LE(longest_line(once), 76U);
        const std::string mended = as_quoted(text, QuotedPrintable::Input::mend);
        EXPECT_EQ(decode_quoted_printable(mended), decode_quoted_printable(text)) << text;
        const std::size_t piece = 1 + prng.below(20);
        EXPECT_EQ(as_quoted(text, QuotedPrintable::Input::text, piece), once);
        EXPECT_EQ(as_quoted(text, QuotedPrintable::Input::mend, piece), mended);
    }
}

TEST(Base64, encodes_the_vectors_of_rfc4648) {
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foo"), "Zm9v");
    EXPECT_EQ(base64("foob"), "Zm9vYg==");
    EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
    EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(Base64, lines_have76_octets_and_come_back) {
    core::Prng prng(8);
    for (int round = 0; round < 500; ++round) {
        std::string octets(prng.below(400), '\0');
        for (char& octet : octets)
            octet = static_cast<char>(prng.below(256));
        const std::string text = base64(octets);
        EXPECT_EQ(decode_base64(text), octets);
        EXPECT_LE(longest_line(text), 76U);
        EXPECT_FALSE(text.ends_with("\n"));
        EXPECT_EQ(base64(octets, 1 + prng.below(100)), text);
    }
}

}  // namespace
}  // namespace relay
