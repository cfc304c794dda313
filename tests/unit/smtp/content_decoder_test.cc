#include "relay/smtp/content_decoder.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/message/content_cursor.h"

namespace relay {
namespace {

struct Decoded {
    std::string content;
    std::string stuffed;
    ContentFault fault = ContentFault::none;
    bool ended = false;
    bool eight_bit = false;
    std::size_t used = 0;
    bool operator==(const Decoded&) const = default;
};

Decoded result(const ContentDecoder& decoder, Content& content, std::size_t used) {
    Decoded decoded;
    decoded.fault = decoder.fault();
    decoded.ended = decoder.at_end();
    decoded.eight_bit = decoder.eight_bit();
    decoded.used = used;
    decoded.content = content.to_string();
    decoded.stuffed = stuffed_text(content);
    return decoded;
}

Decoded decode(std::string_view input, std::size_t piece, BareEndings endings,
               std::uint64_t limit = 1 << 20) {
    Content content;
    ContentDecoder decoder;
    decoder.begin_data(content, limit, endings);
    std::size_t used = 0;
    while (used < input.size() && !decoder.at_end()) {
        used += decoder.feed_data(input.substr(used, piece));
    }
    return result(decoder, content, used);
}

// The same whatever the pieces.
Decoded decode(std::string_view input, BareEndings endings = BareEndings::reject,
               std::uint64_t limit = 1 << 20) {
    const Decoded whole = decode(input, input.size(), endings, limit);
    for (std::size_t piece = 1; piece < std::min<std::size_t>(input.size(), 40); ++piece) {
        EXPECT_EQ(decode(input, piece, endings, limit), whole) << "in pieces of " << piece;
    }
    return whole;
}

TEST(ContentDecoder, undoes_dot_stuffing) {
    const Decoded decoded =
        decode("Subject: x\r\n\r\n..a\r\n...\r\n.b\r\na.b\r\n.\r\nMAIL FROM:<>\r\n");
    EXPECT_EQ(decoded.content, "Subject: x\r\n\r\n.a\r\n..\r\nb\r\na.b\r\n");
    EXPECT_EQ(decoded.stuffed, "Subject: x\r\n\r\n..a\r\n...\r\nb\r\na.b\r\n");
    EXPECT_EQ(decoded.fault, ContentFault::none);
    EXPECT_TRUE(decoded.ended);
    EXPECT_EQ(decoded.used,
              std::string_view("Subject: x\r\n\r\n..a\r\n...\r\n.b\r\na.b\r\n.\r\n").size());
}

TEST(ContentDecoder, takes_empty_content) {
    const Decoded decoded = decode(".\r\nQUIT\r\n");
    EXPECT_TRUE(decoded.ended);
    EXPECT_EQ(decoded.content, "");
    EXPECT_EQ(decoded.used, 3U);
}

TEST(ContentDecoder, marks_eight_bit_of_the_content_only) {
    EXPECT_FALSE(decode("a\r\n.\r\n\xff\r\n").eight_bit);
    EXPECT_TRUE(decode("\xe9\r\n.\r\n").eight_bit);
    EXPECT_EQ(decode("\xe9\xff\x80\r\n.\r\n").content, "\xe9\xff\x80\r\n");
}

TEST(ContentDecoder, limits_lines) {
    const std::string longest(998, 'x');
    EXPECT_EQ(decode(longest + "\r\n.\r\n").fault, ContentFault::none);
    EXPECT_EQ(decode("." + longest + "\r\n.\r\n").fault,
              ContentFault::none);  // the dot is not counted
    EXPECT_EQ(decode("a\r\n." + longest + "\r\nb\r\n.\r\n").content,
              "a\r\n" + longest + "\r\nb\r\n");
    const Decoded decoded = decode("a\r\nx" + longest + "\r\nb\r\n.\r\nQUIT\r\n");
    EXPECT_EQ(decoded.fault, ContentFault::line_too_long);
    EXPECT_TRUE(decoded.ended);
    EXPECT_EQ(decoded.content, "");
}

TEST(ContentDecoder, limits_size_and_reads_on) {
    EXPECT_EQ(decode("123\r\n56\r\n.\r\n", BareEndings::reject, 9).fault, ContentFault::none);
    const Decoded decoded = decode("123\r\n567\r\n.\r\nQUIT", BareEndings::reject, 9);
    EXPECT_EQ(decoded.fault, ContentFault::too_big);
    EXPECT_EQ(decoded.content, "");
    EXPECT_EQ(decoded.used, 13U);
}

TEST(ContentDecoder, finds_loops) {
    std::string hop;
    for (int i = 0; i < 99; ++i)
        hop += "Received: by x\r\n";
    EXPECT_EQ(decode(hop + "\r\nbody\r\n.\r\n").fault, ContentFault::none);
    EXPECT_EQ(decode(hop + "received: by y\r\n\r\nbody\r\n.\r\n").fault, ContentFault::loop);
    EXPECT_EQ(decode(hop + "\r\nReceived: in the body\r\n.\r\n").fault, ContentFault::none);
}

TEST(ContentDecoder, normalizes_on_request) {
    const auto normalized = [](std::string_view input) {
        const Decoded decoded = decode(input, BareEndings::normalize);
        EXPECT_EQ(decoded.fault, ContentFault::none);
        EXPECT_TRUE(decoded.ended);
        EXPECT_EQ(decoded.used, input.size());
        return decoded.content;
    };
    EXPECT_EQ(normalized("a\nb\r\n.\r\n"), "a\r\nb\r\n");
    EXPECT_EQ(normalized("a\n.\nb\r\n.\r\n"), "a\r\n\r\nb\r\n");
    EXPECT_EQ(normalized("a\n.\r\nb\r\n.\r\n"), "a\r\n\r\nb\r\n");
    EXPECT_EQ(normalized("a\n..b\r\n.\r\n"), "a\r\n.b\r\n");
    EXPECT_EQ(normalized("a\rb\r\n.\r\n"), "a b\r\n");
    EXPECT_EQ(normalized("a\r\r\n.\r\n"), "a \r\n");
    EXPECT_EQ(normalized(std::string_view("a\0b\r\n.\r\n", 8)), "a b\r\n");
    EXPECT_EQ(normalized(".\ra\r\n.\r\n"), " a\r\n");
    EXPECT_EQ(normalized("a\r\n.\n.\r\n.\r\n"), "a\r\n\r\n\r\n");
}

TEST(ContentDecoder, reads_chunks) {
    const std::string text = "Subject: x\r\n\r\n.\r\n..a\r\nend";
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        Content content;
        ContentDecoder decoder;
        decoder.begin_chunks(content, 1000, BareEndings::reject);
        decoder.feed_chunk(std::string_view(text).substr(0, cut));
        decoder.feed_chunk(std::string_view(text).substr(cut));
        decoder.end_chunks();
        content.seal();
        const Decoded decoded = result(decoder, content, 0);
        EXPECT_EQ(decoded.fault, ContentFault::none);
        EXPECT_EQ(decoded.content, text + "\r\n");
        EXPECT_EQ(decoded.stuffed, "Subject: x\r\n\r\n..\r\n...a\r\nend\r\n");
    }
}

TEST(ContentDecoder, finds_bare_cr_at_the_end_of_the_last_chunk) {
    Content content;
    ContentDecoder decoder;
    decoder.begin_chunks(content, 1000, BareEndings::reject);
    decoder.feed_chunk("a\r");
    EXPECT_EQ(decoder.fault(), ContentFault::none);  // the LF may come with the next one
    decoder.end_chunks();
    EXPECT_EQ(decoder.fault(), ContentFault::bare_line_ending);
}

}  // namespace
}  // namespace relay
