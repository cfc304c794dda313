// encode_header(): raw UTF-8 in header fields, by RFC 2047 and 2231 (U3, Q3).
#include "relay/mime/encoded_header.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "relay/mime/encoded_words.h"

namespace relay {
namespace {

bool is_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<signed char>(c) >= 0; });
}

// Lines of RFC 2047 section 2: at most 76 octets.
std::string encoded(const std::string& head) {
    std::string out = encode_header(head);
    for (std::size_t at = 0; at < out.size();) {
        const std::size_t end = std::min(out.find("\r\n", at), out.size());
        EXPECT_LE(end - at, 76U) << out;
        at = end + 2;
    }
    return out;
}

std::string of(const std::string& head) {
    std::string out = encoded(head);
    EXPECT_TRUE(is_ascii(out)) << out;
    return out;
}

TEST(EncodedHeader, ascii_fields_are_not_touched) {
    const std::string head =
        "Subject:   two  blanks\n \tand a fold\r\nX-Long: " + std::string(300, 'x') +
        "\nbroken line\nFrom: \"a \\\" b\" <a@b.example>\n";
    EXPECT_EQ(encode_header(head), head);
    EXPECT_EQ(encode_header(""), "");
}

TEST(EncodedHeader, words_of_unstructured_fields_are_encoded) {
    EXPECT_EQ(of("Subject: \xf0\x9f\x8e\x89 Gr\xc3\xbc\xc3\x9f"
                 "e\nX: y\n"),
              "Subject: =?UTF-8?B?8J+OiSBHcsO8w59l?=\r\nX: y\n");
    EXPECT_EQ(of("Subject: Hello J\xc3\xb6rg and so on\n"),
              "Subject: Hello =?UTF-8?B?SsO2cmc=?= and so on\r\n");
    EXPECT_EQ(of("X-Own:caf\xc3\xa9 at the corner\r\n"),
              "X-Own:=?UTF-8?B?Y2Fmw6k=?= at the corner\r\n");
    // The blank between two encoded words is no blank to a reader.
    EXPECT_EQ(of("Subject: =?utf-8?q?a?= \xc3\xa9\n"),
              "Subject: =?utf-8?q?a?= =?UTF-8?B?IMOp?=\r\n");
    EXPECT_EQ(of("Subject: \xc3\xa9 =?utf-8?q?a?=\n"),
              "Subject: =?UTF-8?B?w6kg?= =?utf-8?q?a?=\r\n");
    EXPECT_EQ(of("Subject: a\n \xc3\xa9\n"), "Subject: a =?UTF-8?B?w6k=?=\r\n");
}

TEST(EncodedHeader, long_text_is_folded_between_characters) {
    std::string text;
    for (int i = 0; i < 100; ++i)
        text += "\xe4\xbe\x8b";
    const std::string out = of("Subject: " + text + "\n");
    EXPECT_TRUE(out.starts_with("Subject: =?UTF-8?B?")) << out;
    EXPECT_GT(std::ranges::count(out, '\n'), 4);
    const std::string words =
        of("Subject: " + std::string(60, 'a') + " " + std::string(60, 'b') + " \xc3\xa9\n");
    EXPECT_TRUE(words.contains("\r\n " + std::string(60, 'b'))) << words;
}

TEST(EncodedHeader, display_names_are_encoded_and_addresses_are_not) {
    EXPECT_EQ(of("From: J\xc3\xb6rg <a@b.example>\n"),
              "From: =?UTF-8?B?SsO2cmc=?= <a@b.example>\r\n");
    EXPECT_EQ(of("From: \"M\xc3\xbcller, J\xc3\xb6rg\" <a@b.example>\n"),
              "From: =?UTF-8?B?TcO8bGxlciwgSsO2cmc=?= <a@b.example>\r\n");
    EXPECT_EQ(of("To: a@b.example, J\xc3\xb6rg <c@d.example>, \"Plain, Name\" <e@f.example>\n"),
              "To: a@b.example, =?UTF-8?B?SsO2cmc=?= <c@d.example>, \"Plain, Name\"\r\n "
              "<e@f.example>\r\n");
    EXPECT_EQ(of("To: Gr\xc3\xbc"
                 "n: a@b.example, c@d.example;\n"),
              "To: =?UTF-8?B?R3LDvG4=?=: a@b.example, c@d.example;\r\n");
    EXPECT_EQ(of("Cc: a@b.example (J\xc3\xb6rg)\n"), "Cc: a@b.example (=?UTF-8?B?SsO2cmc=?=)\r\n");
    EXPECT_EQ(of("List-Id: Gr\xc3\xbc"
                 "n <list.example>\n"),
              "List-Id: =?UTF-8?B?R3LDvG4=?= <list.example>\r\n");
    EXPECT_EQ(encoded("To: J\xc3\xb6rg <j\xc3\xb6rg@b.example>\n"),
              "To: =?UTF-8?B?SsO2cmc=?= <j\xc3\xb6rg@b.example>\r\n");
    EXPECT_EQ(encoded("To: j\xc3\xb6rg@b.example\n"), "To: j\xc3\xb6rg@b.example\r\n");
}

TEST(EncodedHeader, parameters_are_encoded_by_rfc_2231) {
    EXPECT_EQ(of("Content-Type: text/plain; charset=utf-8; name=\"gr\xc3\xbcn.txt\"\n"),
              "Content-Type: text/plain; charset=utf-8; name*=UTF-8''gr%C3%BCn.txt\r\n");
    std::string name;
    for (int i = 0; i < 30; ++i)
        name += "\xc3\xbc";
    const std::string out = of("Content-Disposition: attachment; filename=\"" + name + "\"\n");
    EXPECT_TRUE(out.contains("filename*0*=UTF-8''%C3%BC")) << out;
    EXPECT_TRUE(out.contains(";\r\n filename*1*=%")) << out;
}

TEST(EncodedHeader, what_cannot_be_encoded_stays) {
    for (const std::string head :
         {"Message-ID: <\xc3\xa9@b.example>\n", "Subject: \xff\n",
          "From: \"J\xc3\xb6rg <a@b.example>\n", "To: J\xc3\xb6rg <a@b.example\n",
          "Cc: (\xc3\xa9\n", "\xc3\xa9: x\n", "caf\xc3\xa9\n", "Content-Type: \xc3\xa9\n",
          "References: \xc3\xa9\n"}) {
        EXPECT_EQ(encode_header(head), head);
    }
}

TEST(EncodedHeader, signatures_are_seen) {
    EXPECT_TRUE(is_signed_header("a: b\ndkim-signature : x\n"));
    EXPECT_TRUE(is_signed_header("ARC-Message-Signature: x\r\n"));
    EXPECT_FALSE(is_signed_header("Subject: DKIM-Signature: x\n DKIM-Signature: y\n"));
}

TEST(EncodedWords, every_word_is_whole_and_short) {
    std::string text;
    for (int i = 0; i < 50; ++i)
        text += "a \xf0\x9f\x8e\x89";
    for (const std::size_t first : {kLeastEncodedWord, std::size_t{50}, kMaxEncodedWord}) {
        std::string out;
        append_encoded_words(out, text, first);
        bool at_first = true;
        for (std::size_t at = 0; at < out.size(); at_first = false) {
            const std::size_t end = std::min(out.find("\r\n ", at), out.size());
            const std::string word = out.substr(at, end - at);
            EXPECT_LE(word.size(), at_first ? first : kMaxEncodedWord);
            EXPECT_TRUE(word.starts_with("=?UTF-8?") && word.ends_with("?=")) << word;
            at = end + 3;
        }
    }
}

}  // namespace
}  // namespace relay
