#include "relay/message/reply_pool.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

Disposition deferred(std::string text, bool local = false) {
    Disposition result;
    result.outcome = Outcome::deferred;
    result.reply = {451, {4, 7, 1}, std::move(text)};
    result.command = "RCPT";
    result.local = local;
    return result;
}

TEST(ReplyPool, the_same_reply_is_kept_once_however_many_have_it) {
    ReplyPool pool;
    const LastReply* const first = pool.keep(deferred("busy"));
    for (int i = 0; i < 1000; ++i)
        EXPECT_EQ(pool.keep(deferred("busy")), first);
    EXPECT_EQ(pool.size(), 1U);
    const LastReply* const ours = pool.keep(deferred("busy", true));
    const LastReply* const other = pool.keep(deferred("very busy"));
    EXPECT_NE(ours, first);
    EXPECT_EQ(pool.size(), 3U);
    EXPECT_EQ(first->reply, (Reply{451, {4, 7, 1}, "busy"}));
    for (int i = 0; i < 1001; ++i)
        pool.release(first);
    pool.release(ours);
    pool.release(other);
    pool.release(nullptr);
    EXPECT_EQ(pool.size(), 0U);
}

TEST(ReplyPool, of_a_long_text_the_ends_are_kept) {
    ReplyPool pool;
    const std::string text = "begins " + std::string(4000, 'x') + " ends";
    const LastReply* const kept = pool.keep(deferred(text));
    EXPECT_LE(kept->reply.text.size(), ReplyPool::kMostText);
    EXPECT_TRUE(kept->reply.text.starts_with("begins x"));
    EXPECT_TRUE(kept->reply.text.ends_with("x ends"));
    pool.release(kept);
}

}  // namespace
}  // namespace relay
