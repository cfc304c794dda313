#include "relay/message/content.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/message/content_cursor.h"

namespace relay {
namespace {

std::string joined(const std::vector<iovec>& parts) {
    std::string text;
    for (const iovec& part : parts) {
        EXPECT_GT(part.iov_len, 0U);
        text.append(static_cast<const char*>(part.iov_base), part.iov_len);
    }
    return text;
}

std::string plain(const Content& content) {
    std::vector<iovec> parts;
    content.gather(parts);
    return joined(parts);
}

std::string stuffed(const Content& content) {
    return stuffed_text(content);
}

// Fills content as a decoder does: leading dots are marked where they stand.
void append_lines(Content& content, std::string_view text) {
    bool line_start = true;
    for (const char c : text) {
        if (line_start && c == '.') content.mark_leading_dot();
        content.append({&c, 1});
        line_start = c == '\n';
    }
}

// The transparency procedure of RFC 5321 section 4.5.2, written naively.
std::string stuffed_naively(std::string_view text) {
    std::string result;
    bool line_start = true;
    for (const char c : text) {
        if (line_start && c == '.') result += '.';
        result += c;
        line_start = c == '\n';
    }
    return result;
}

TEST(Content, keeps_octets_across_chunks) {
    std::string text;
    for (int i = 0; i < 50000; ++i)
        text += std::to_string(i) + "\r\n";
    Content content;
    for (std::size_t at = 0; at < text.size(); at += 1777) {
        content.append(std::string_view(text).substr(at, 1777));
    }
    content.seal();
    EXPECT_EQ(content.size(), text.size());
    EXPECT_EQ(content.to_string(), text);
    EXPECT_EQ(plain(content), text);
    EXPECT_EQ(stuffed(content), text);
    EXPECT_EQ(content.head(10), text.substr(0, 10));
    EXPECT_EQ(content.head(5000), text.substr(0, 5000));
    EXPECT_GE(content.memory(), content.size());
    EXPECT_LT(content.memory(), content.size() + content.size() / 4 + 1024);
}

TEST(Content, seal_ends_the_last_line) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", "\r\n"},     {"a", "a\r\n"},   {"a\r\n", "a\r\n"},
        {"a\r", "a\r\n"}, {"\r\n", "\r\n"}, {"a\n", "a\n\r\n"},
    };
    for (const auto& [given, sealed] : cases) {
        Content content;
        content.append(given);
        content.seal();
        EXPECT_EQ(content.to_string(), sealed);
        EXPECT_TRUE(content.ends_in_crlf());
    }
}

TEST(Content, sees_crlf_split_over_chunks) {
    Content content;
    content.append(std::string(Content::kFirstChunk - 1, 'x') + "\r");
    EXPECT_FALSE(content.ends_in_crlf());
    content.append("\n");
    EXPECT_TRUE(content.ends_in_crlf());
}

TEST(Content, doubles_leading_dots_wherever_they_stand) {
    for (const std::string text :
         {".\r\n", "..\r\n", "a\r\n.\r\n..b\r\n.c\r\n", "\r\n.\r\n", "a.b\r\nc.\r\n", ".a\r\n"}) {
        // At every distance from the chunk's end, so that dots fall on both sides of it.
        for (std::size_t before = Content::kFirstChunk - 16; before < Content::kFirstChunk + 2;
             ++before) {
            Content content;
            const std::string whole = std::string(before, 'x') + "\r\n" + text;
            append_lines(content, whole);
            content.seal();
            EXPECT_EQ(stuffed(content), stuffed_naively(whole));
            EXPECT_EQ(content.stuffed_size(), stuffed(content).size());
            EXPECT_EQ(plain(content), whole);
        }
    }
}

TEST(Content, reserve_makes_one_chunk) {
    Content content;
    content.reserve(10000);
    content.append(std::string(9000, 'a'));
    content.append(std::string(998, 'b') + "\r\n");
    content.seal();
    std::vector<iovec> parts;
    content.gather(parts);
    EXPECT_EQ(parts.size(), 1U);
}

TEST(Content, reserve_is_capped_by_the_largest_chunk) {
    Content content;
    content.reserve(std::size_t{1} << 40);
    content.append("a\r\n");
    EXPECT_LE(content.memory(), Content::kLargestChunk + 256);
    content.seal();
    EXPECT_LE(content.memory(), 512U);
}

}  // namespace
TEST(Content, leaves_memory_and_comes_back) {
    Content content;
    content.mark_leading_dot();
    content.append(".one\r\n");
    content.append("two\r\n");
    content.mark_leading_dot();
    content.append("..three");
    content.seal();
    const std::string octets = content.to_string();
    const std::size_t stuffed = content.stuffed_size();

    content.evict();
    EXPECT_FALSE(content.resident());
    EXPECT_EQ(content.memory(), 0U);
    EXPECT_EQ(content.size(), octets.size());
    EXPECT_EQ(content.stuffed_size(), stuffed);

    auto copy = std::make_unique<char[]>(octets.size());
    std::ranges::copy(octets, copy.get());
    content.restore(std::move(copy), octets.size());
    EXPECT_EQ(content.to_string(), octets);
    EXPECT_EQ(stuffed_text(content), "..one\r\ntwo\r\n...three\r\n");
}

// Wherever a step ends, also between the end of a line and its dot.
TEST(DotSearch, finds_them_in_steps) {
    const std::string text = ".a\r\n.\r\n..b\r\nc.\r\n.d\r\n\r\n.\r\n";
    const std::vector<std::uint32_t> expected{0, 4, 7, 16, 22};
    for (std::size_t octets = 1; octets <= text.size(); ++octets) {
        DotSearch dots(text);
        std::size_t steps = 1;
        while (dots.advance(octets))
            ++steps;
        EXPECT_EQ(steps, (text.size() + octets - 1) / octets);
        const LeadingDots found = dots.take();
        ASSERT_EQ(found.size(), expected.size()) << octets;
        for (std::size_t i = 0; i < expected.size(); ++i)
            EXPECT_EQ(found[i], expected[i]) << octets;
    }
    DotSearch none("");
    EXPECT_FALSE(none.advance(1));
    EXPECT_EQ(none.take().size(), 0U);
}

}  // namespace relay
