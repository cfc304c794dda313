#include "relay/smtp/command_line.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

using End = CommandLine::End;
using Ends = std::vector<std::pair<End, std::string>>;

// What ends the lines of this text, when it comes in pieces of this size.
Ends ends_of(std::string_view text, std::size_t piece) {
    CommandLine line;
    Ends ends;
    for (std::size_t at = 0; at < text.size(); at += piece) {
        std::string_view input = text.substr(at, piece);
        while (!input.empty()) {
            const CommandLine::Step step = line.feed(input);
            EXPECT_GT(step.used, 0U);
            input.remove_prefix(step.used);
            if (step.end != End::open) ends.emplace_back(step.end, step.line);
        }
    }
    return ends;
}

TEST(CommandLine, lines_are_the_same_however_they_are_cut) {
    const std::string text = "EHLO me\r\n\r\nbare\nA\rB\r\n\rC\r\r\n\n" +
                             std::string(CommandLine::kMaxLine + 5, 'x') + "\r\nQUIT\r\nrest";
    const Ends expected{{End::crlf, "EHLO me"}, {End::crlf, ""},      {End::bare_lf, ""},
                        {End::crlf, "A\rB"},    {End::crlf, "\rC\r"}, {End::bare_lf, ""},
                        {End::too_long, ""},    {End::crlf, "QUIT"}};
    for (std::size_t piece = 1; piece <= text.size(); ++piece)
        EXPECT_EQ(ends_of(text, piece), expected) << piece;
}

TEST(CommandLine, the_limit_counts_the_crlf) {
    const std::string longest(CommandLine::kMaxLine - 2, 'x');
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{5000}}) {
        EXPECT_EQ(ends_of(longest + "\r\n", piece), (Ends{{End::crlf, longest}}));
        EXPECT_EQ(ends_of("y" + longest + "\r\nNOOP\r\n", piece),
                  (Ends{{End::too_long, ""}, {End::crlf, "NOOP"}}));
        EXPECT_EQ(ends_of("y" + longest + "x\nNOOP\r\n", piece),
                  (Ends{{End::bare_lf, ""}, {End::crlf, "NOOP"}}));
    }
}

TEST(CommandLine, a_line_in_one_piece_is_not_copied) {
    const std::string text = "NOOP\r\nRSET\r\n";
    CommandLine line;
    const CommandLine::Step step = line.feed(text);
    EXPECT_EQ(step.used, 6U);
    EXPECT_EQ(step.line.data(), text.data());
}

}  // namespace
}  // namespace relay
