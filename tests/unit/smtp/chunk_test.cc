#include "relay/smtp/chunk.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(Chunk, takes_its_octets_and_no_more) {
    Chunk chunk;
    chunk.begin({5, true});
    EXPECT_TRUE(chunk.last());
    EXPECT_EQ(chunk.take("abc"), "abc");
    EXPECT_FALSE(chunk.complete());
    EXPECT_EQ(chunk.take("deQUIT"), "de");
    EXPECT_TRUE(chunk.complete());
    EXPECT_EQ(chunk.take("QUIT"), "");
    EXPECT_EQ(chunk.size(), 5U);
}

TEST(Chunk, a_refused_one_is_read_to_its_end) {
    Chunk chunk;
    chunk.begin({3, false});
    chunk.refuse("452 4.3.1 Full");
    EXPECT_EQ(chunk.take("abcd"), "abc");
    EXPECT_TRUE(chunk.complete());
    EXPECT_EQ(chunk.refusal(), "452 4.3.1 Full");
    chunk.begin({0, false});
    EXPECT_FALSE(chunk.refused());
    EXPECT_TRUE(chunk.complete());
}

}  // namespace
}  // namespace relay
