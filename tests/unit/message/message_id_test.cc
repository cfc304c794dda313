#include "relay/message/message_id.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(MessageId, reads_what_it_writes) {
    for (const MessageId id : {MessageId{}, MessageId{1, 2}, MessageId{~0ULL, ~0ULL},
                               MessageId{0x0123456789abcdefULL, 0xfedcba9876543210ULL}}) {
        const std::string text = id.to_string();
        EXPECT_EQ(text.size(), 26U);
        EXPECT_EQ(MessageId::parse(text), id) << text;
    }
    EXPECT_EQ(MessageId{}.to_string(), "00000000000000000000000000");
    EXPECT_EQ((MessageId{~0ULL, ~0ULL}).to_string(), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
}

TEST(MessageId, reads_lower_case) {
    EXPECT_EQ(MessageId::parse("7zzzzzzzzzzzzzzzzzzzzzzzzz"), (MessageId{~0ULL, ~0ULL}));
}

TEST(MessageId, refuses_what_it_never_writes) {
    for (const std::string_view text :
         {"", "0", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "000000000000000000000000000",
          "0000000000000000000000000", "0000000000000000000000000U", "000000000000 0000000000000",
          "0000000000000000000000000\xff"}) {
        EXPECT_FALSE(MessageId::parse(text)) << text;
    }
}

TEST(MessageIdGenerator, sorts_by_time_and_never_repeats) {
    MessageIdGenerator generator(7, 42);
    const MessageId first = generator.next(1'700'000'000'000);
    const MessageId second = generator.next(1'700'000'000'000);
    const MessageId later = generator.next(1'700'000'000'001);
    EXPECT_LT(first, second);
    EXPECT_LT(second, later);
    EXPECT_LT(first.to_string(), second.to_string());
    EXPECT_LT(second.to_string(), later.to_string());
    EXPECT_EQ(first.high >> 16, 1'700'000'000'000U);
    EXPECT_EQ(first.high & 0xffff, 7U);
}

}  // namespace
}  // namespace relay
