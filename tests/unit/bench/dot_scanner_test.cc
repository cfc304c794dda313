#include "bench/load/dot_scanner.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace bench {
namespace {

// Octets up to the end, in pieces of the given sizes; npos when no end was found.
std::size_t end_of(std::string_view content, std::mt19937& random, std::size_t largest) {
    DotScanner scanner;
    scanner.reset();
    std::size_t done = 0;
    while (done < content.size()) {
        const std::size_t size = std::uniform_int_distribution<std::size_t>(1, largest)(random);
        done += scanner.scan(content.substr(done, size));
        if (scanner.found()) return done;
    }
    return std::string_view::npos;
}

TEST(DotScanner, finds_the_end_where_it_is) {
    struct Case {
        std::string_view content;
        std::size_t end;
    };
    constexpr std::size_t kNone = std::string_view::npos;
    const Case cases[] = {
        {".\r\nMAIL", 3},         {"a\r\n.\r\nMAIL", 6}, {"a\r\n..\r\n.\r\n", 10},
        {"a\r\n.b\r\n.\r\n", 10}, {"a\r\n\r\n.\r\n", 8}, {"a\r\r\n.\r\n", 7},
        {"\r\n.\r\r\n.\r\nx", 9}, {"a.\r\n", kNone},     {"a\n.\n", kNone},  // bare LF
        {"a\n.\r\n", kNone},                                                 // LF . CR LF
        {"a\r\n.\nb", kNone},                                                // CR LF . LF
        {"a\r.\r\n", kNone},                                                 // CR . CR LF
        {"a\r\n.\r", kNone},
    };
    std::mt19937 random(1);
    for (const Case& test : cases) {
        EXPECT_EQ(end_of(test.content, random, 1000), test.end) << test.content;
        EXPECT_EQ(end_of(test.content, random, 1), test.end) << test.content;
    }
}

TEST(DotScanner, the_split_of_the_input_does_not_matter) {
    std::mt19937 random(7);
    for (int round = 0; round < 20000; ++round) {
        std::string content;
        const int length = std::uniform_int_distribution<int>(0, 40)(random);
        for (int i = 0; i < length; ++i) {
            content += "\r\n..a"[std::uniform_int_distribution<int>(0, 4)(random)];
        }
        // The definition itself, by plain search; the DATA line's CR LF comes before the content.
        const auto found = ("\r\n" + content).find("\r\n.\r\n");
        const std::size_t expected = found == std::string::npos ? found : found + 3;
        EXPECT_EQ(end_of(content, random, 1000), expected) << testing::PrintToString(content);
        EXPECT_EQ(end_of(content, random, 3), expected) << testing::PrintToString(content);
    }
}

}  // namespace
}  // namespace bench
