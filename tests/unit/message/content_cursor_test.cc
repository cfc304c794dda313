#include "relay/message/content_cursor.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

using Form = ContentCursor::Form;

Content content_of(std::string_view text) {
    Content content;
    bool line_start = true;
    for (std::size_t at = 0; at < text.size();) {
        if (line_start && text[at] == '.') content.mark_leading_dot();
        const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
        content.append(text.substr(at, end - at));
        line_start = text[end - 1] == '\n';
        at = end;
    }
    content.seal();
    return content;
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

struct Slices {
    std::string text;
    std::size_t most_parts = 0;
    std::size_t most_octets = 0;
};

Slices walk(const Content& content, Form form) {
    Slices seen;
    std::vector<iovec> parts;
    for (ContentCursor cursor(content, form); !cursor.done();) {
        parts.clear();
        cursor.next(parts);
        EXPECT_FALSE(parts.empty());
        std::size_t octets = 0;
        for (const iovec& part : parts) {
            EXPECT_GT(part.iov_len, 0U);
            octets += part.iov_len;
            seen.text.append(static_cast<const char*>(part.iov_base), part.iov_len);
        }
        seen.most_parts = std::max(seen.most_parts, parts.size());
        seen.most_octets = std::max(seen.most_octets, octets);
    }
    return seen;
}

void expect_within_limits(const Slices& seen) {
    EXPECT_LE(seen.most_parts, ContentCursor::kMaxParts);
    EXPECT_LE(seen.most_octets, ContentCursor::kMaxOctets);
}

// H5: 45 MiB of lines that consist of a dot made two parts a line, all at once.
TEST(ContentCursor, lines_of_dots_make_no_more_parts_than_a_slice_has) {
    std::string text;
    for (int i = 0; i < 1'000'000; ++i)
        text += ".\r\n";
    const Content content = content_of(text);
    const Slices stuffed = walk(content, Form::stuffed);
    expect_within_limits(stuffed);
    EXPECT_TRUE(stuffed.text == stuffed_naively(text));
    const Slices plain = walk(content, Form::plain);
    expect_within_limits(plain);
    EXPECT_TRUE(plain.text == text);
}

// Fewer dots than are worth copying, but more than a slice has parts.
TEST(ContentCursor, dots_now_and_then_go_straight_from_the_content) {
    std::string text;
    for (int i = 0; i < 4000; ++i)
        text += "." + std::string(200, 'x') + "\r\n";
    const Content content = content_of(text);
    const Slices stuffed = walk(content, Form::stuffed);
    expect_within_limits(stuffed);
    EXPECT_EQ(stuffed.most_parts, ContentCursor::kMaxParts);
    EXPECT_TRUE(stuffed.text == stuffed_naively(text));
}

// One chunk, as it comes back from the spool, and lines of every length around the chunks.
TEST(ContentCursor, every_cut_gives_the_same_octets) {
    for (const std::size_t length : {0U, 1U, 2U, 3U, 50U, 126U, 127U, 128U, 997U, 5000U}) {
        std::string text;
        while (text.size() < 700'000)
            text +=
                std::string(text.size() % 3 == 0 ? "." : "") + std::string(length, '.') + "\r\n";
        Content content = content_of(text);
        const Slices stuffed = walk(content, Form::stuffed);
        expect_within_limits(stuffed);
        EXPECT_TRUE(stuffed.text == stuffed_naively(text)) << length;
        EXPECT_EQ(stuffed.text.size(), content.stuffed_size());
        auto copy = std::make_unique<char[]>(text.size());
        text.copy(copy.get(), text.size());
        Content restored;
        restored.restore(std::move(copy), text.size());
        for (const Form form : {Form::plain, Form::stuffed}) {
            const Slices seen = walk(restored, form);
            expect_within_limits(seen);
            EXPECT_TRUE(seen.text == (form == Form::plain ? text : stuffed_naively(text)));
        }
    }
}

TEST(ContentCursor, an_empty_content_is_done) {
    const Content content;
    EXPECT_TRUE(ContentCursor(content, Form::plain).done());
}

}  // namespace
}  // namespace relay
