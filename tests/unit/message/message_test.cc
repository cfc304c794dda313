#include "relay/message/message.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

using enum RecipientState;

TEST(Recipient, domain_is_after_the_last_at) {
    Message message;
    EXPECT_EQ(Recipient(message, "a@example.com").domain(), "example.com");
    EXPECT_EQ(Recipient(message, "\"a@b\"@Example.COM").domain(), "Example.COM");
    EXPECT_EQ(Recipient(message, "a@[192.0.2.1]").domain(), "[192.0.2.1]");
    EXPECT_EQ(Recipient(message, "postmaster").domain(), "");
}

TEST(RecipientState, final_is_reachable_from_every_committed_state_and_never_left) {
    for (const auto state : {committed, scheduled, ready, in_flight}) {
        EXPECT_TRUE(may_follow(state, final)) << to_string(state);
        EXPECT_FALSE(may_follow(final, state)) << to_string(state);
        EXPECT_FALSE(may_follow(state, receiving)) << to_string(state);
        EXPECT_FALSE(may_follow(state, committed)) << to_string(state);
    }
    EXPECT_FALSE(may_follow(final, final));
    EXPECT_FALSE(may_follow(receiving, final));
    EXPECT_FALSE(may_follow(receiving, ready));
    EXPECT_TRUE(may_follow(receiving, committed));
    EXPECT_FALSE(may_follow(scheduled, in_flight));
}

TEST(Recipient, moves_along_the_table) {
    Message message;
    Recipient recipient(message, "a@example.com");
    for (const auto next : {committed, scheduled, ready, in_flight, scheduled, ready, in_flight,
                            ready, in_flight, final}) {
        recipient.move_to(next);
        EXPECT_EQ(recipient.state, next);
    }
    EXPECT_DEATH(recipient.move_to(ready), "may_follow");
}

TEST(Disposition, names_outcomes) {
    EXPECT_EQ(to_string(Outcome::none), "none");
    EXPECT_EQ(to_string(Outcome::deferred), "deferred");
    EXPECT_EQ(to_string(Outcome::expired), "expired");
}

// With the texts of an ordinary message they make what a queued recipient takes of memory; see
// bench/README.md (restart) for the whole.
TEST(Message, a_queued_recipient_is_small) {
    EXPECT_LE(sizeof(Message), 168U);
    EXPECT_LE(sizeof(Recipient), 96U);
}

}  // namespace
}  // namespace relay
