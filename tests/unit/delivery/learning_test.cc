// What is believed of servers, and for how long: belief.h, session_cap.h, manners.h and
// session_clock.h.
#include <gtest/gtest.h>

#include "relay/delivery/belief.h"
#include "relay/delivery/manners.h"
#include "relay/delivery/session_cap.h"
#include "relay/delivery/session_clock.h"

namespace relay {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const core::Instant kStart{hours{1}};

// ---- Belief

TEST(Belief, holds_for_minutes_and_then_one_tries_again_for_all) {
    Belief belief;
    EXPECT_FALSE(belief.ask(kStart));
    EXPECT_EQ(belief.learn(kStart), Belief::kFirst);
    EXPECT_EQ(belief.learn(kStart + seconds{1}), core::Duration{});  // the same fact
    EXPECT_TRUE(belief.ask(kStart + Belief::kFirst - seconds{1}));
    const core::Instant over = kStart + Belief::kFirst;
    EXPECT_FALSE(belief.ask(over));                       // this one tries
    EXPECT_TRUE(belief.ask(over + seconds{1}));           // and nobody else
    EXPECT_FALSE(belief.ask(over + SingleProbe::kTime));  // nothing was heard of it
}

TEST(Belief, holds_longer_each_time_it_is_seen_again_up_to_its_limit) {
    Belief belief;
    core::Instant now = kStart;
    for (const int span : {5, 10, 20, 40, 40}) {
        EXPECT_EQ(belief.learn(now), minutes{span});
        now += minutes{span};
        EXPECT_FALSE(belief.ask(now));
    }
}

TEST(Belief, is_lifted_by_the_contrary_and_forgotten_without_news) {
    Belief belief;
    belief.learn(kStart);
    EXPECT_TRUE(belief.lift(kStart + seconds{1}));
    EXPECT_FALSE(belief.lift(kStart + seconds{1}));
    EXPECT_FALSE(belief.ask(kStart + seconds{1}));
    belief.learn(kStart);
    const core::Instant late = kStart + Belief::kFirst + Belief::kLongest;
    EXPECT_FALSE(belief.ask(late));
    EXPECT_FALSE(belief.ask(late));
    EXPECT_EQ(belief.learn(late), Belief::kFirst);
}

// ---- SessionCap

// A session of so many messages that ends at an instant, a second after it began.
bool closes(SessionCap& cap, std::size_t messages, core::Instant at) {
    return cap.closed_silently(messages, at - seconds{1}, at);
}

SessionCap learned(std::size_t messages, core::Instant& now) {
    SessionCap cap;
    for (unsigned i = 1; i < SessionCap::kEnough; ++i) {
        EXPECT_FALSE(closes(cap, messages, now));
        now += SessionCap::kApart;
    }
    EXPECT_TRUE(closes(cap, messages, now));
    return cap;
}

TEST(SessionCap, is_learned_from_a_run_of_separate_sessions) {
    core::Instant now = kStart;
    SessionCap cap = learned(20, now);
    EXPECT_EQ(cap.most(now), 20U);
    EXPECT_EQ(cap.most(now + SessionCap::kHold - seconds{1}), 20U);
}

// U2: a restart closes forty connections after the same number of messages, twice within seconds.
TEST(SessionCap, sessions_that_end_together_are_one_fact) {
    SessionCap cap;
    for (int i = 0; i < 40; ++i)
        EXPECT_FALSE(cap.closed_silently(5, kStart - minutes{1}, kStart + milliseconds{i}));
    for (int i = 0; i < 40; ++i)
        EXPECT_FALSE(closes(cap, 5, kStart + seconds{2} + milliseconds{i}));
    // Sessions that overlapped with those, and ended much later.
    for (int i = 0; i < 40; ++i)
        EXPECT_FALSE(cap.closed_silently(5, kStart - seconds{1}, kStart + minutes{i}));
    EXPECT_EQ(cap.most(kStart + minutes{1}), 0U);
}

TEST(SessionCap, other_numbers_and_longer_sessions_are_evidence_to_the_contrary) {
    SessionCap cap;
    core::Instant now = kStart;
    for (int i = 0; i < 20; ++i) {
        EXPECT_FALSE(closes(cap, 5, now += minutes{1}));
        EXPECT_FALSE(closes(cap, 5, now += minutes{1}));
        if (i % 2 == 0) {
            EXPECT_FALSE(closes(cap, 4, now += minutes{1}));
        } else {
            EXPECT_FALSE(cap.carried(6));
        }
    }
    EXPECT_EQ(cap.most(now), 0U);
}

TEST(SessionCap, one_session_goes_beyond_and_the_same_close_renews_it) {
    core::Instant now = kStart;
    SessionCap cap = learned(20, now);
    now += SessionCap::kHold;
    EXPECT_EQ(cap.most(now), 0U);  // this one goes beyond
    EXPECT_EQ(cap.most(now + seconds{1}), 20U);
    closes(cap, 20, now + seconds{2});
    EXPECT_EQ(cap.most(now + SessionCap::kHold), 20U);
    now += SessionCap::kHold + seconds{2};
    EXPECT_EQ(cap.most(now), 0U);
    EXPECT_TRUE(cap.carried(21));  // lifted
    EXPECT_EQ(cap.most(now), 0U);
}

TEST(SessionCap, one_that_holds_is_not_lowered_and_one_that_nobody_confirms_is_forgotten) {
    core::Instant now = kStart;
    SessionCap cap = learned(20, now);
    for (int i = 0; i < 5; ++i)
        EXPECT_FALSE(closes(cap, 2, now + seconds{20 * i}));
    EXPECT_EQ(cap.most(now + minutes{2}), 20U);
    EXPECT_EQ(cap.most(now + 2 * SessionCap::kHold), 0U);
    EXPECT_EQ(cap.most(now + 2 * SessionCap::kHold), 0U);
}

// ---- Manners

TEST(Manners, what_a_reply_shows_counts_at_once_and_is_tried_again) {
    Manners manners(PipelineMode::next, true);
    const auto began = manners.choose(kStart);
    EXPECT_EQ(began.pipelining, PipelineMode::next);
    EXPECT_TRUE(began.chunking);
    EXPECT_TRUE(manners.learn({began, {PipelineMode::next, false}, true, false, false}, kStart));
    EXPECT_TRUE(manners.learn({began, {PipelineMode::message, true}, true, false, false}, kStart));
    EXPECT_EQ(manners.choose(kStart).pipelining, PipelineMode::message);
    EXPECT_FALSE(manners.choose(kStart).chunking);
    const auto probe = manners.choose(kStart + Belief::kFirst);
    EXPECT_EQ(probe.pipelining, PipelineMode::next);
    EXPECT_TRUE(probe.chunking);
    EXPECT_EQ(manners.choose(kStart + Belief::kFirst).pipelining, PipelineMode::message);
    manners.learn({probe, probe, false, true, true}, kStart + Belief::kFirst);
    EXPECT_EQ(manners.choose(kStart + Belief::kFirst).pipelining, PipelineMode::next);
    EXPECT_TRUE(manners.choose(kStart + Belief::kFirst).chunking);
}

TEST(Manners, a_lost_session_teaches_nothing_while_others_follow) {
    Manners manners(PipelineMode::next, true);
    const auto began = manners.choose(kStart);
    const Manners::Ending lost{began, {PipelineMode::message, true}, false, false, false};
    manners.learn({began, began, false, true, false}, kStart);
    EXPECT_FALSE(manners.learn(lost, kStart + seconds{1}));
    EXPECT_EQ(manners.choose(kStart + seconds{1}).pipelining, PipelineMode::next);
    EXPECT_TRUE(manners.learn(lost, kStart + Manners::kLately + seconds{1}));
}

// ---- SessionClock (M2)

TEST(SessionClock, a_reply_has_one_limit_however_many_octets_come_before_it) {
    SessionClock clock;
    clock.let_it_be();
    const auto due = kStart + minutes{5};
    EXPECT_EQ(clock.reply_due(1, kStart, minutes{5}), due);
    EXPECT_EQ(clock.reply_due(1, kStart + minutes{4}, minutes{5}), due);
    EXPECT_EQ(clock.reply_due(2, kStart + minutes{4}, minutes{5}), due + minutes{4});
}

TEST(SessionClock, a_transaction_has_a_limit_by_its_size_and_by_the_time_of_its_recipients) {
    SessionClock clock;
    clock.start_transaction(1, kStart, 1000, hours{100});
    EXPECT_TRUE(clock.times(1));
    EXPECT_FALSE(clock.is_over(kStart + SessionClock::kMaxTransaction - seconds{1}));
    EXPECT_TRUE(clock.is_over(kStart + SessionClock::kMaxTransaction));
    EXPECT_EQ(clock.reply_due(1, kStart + minutes{59}, minutes{5}),
              kStart + SessionClock::kMaxTransaction);
    clock.start_transaction(2, kStart, 50U << 20, hours{100});
    EXPECT_FALSE(clock.is_over(kStart + SessionClock::kMaxTransaction + hours{1}));
    EXPECT_TRUE(clock.is_over(kStart + SessionClock::kMaxTransaction + hours{2}));
    clock.start_transaction(3, kStart, 50U << 20, seconds{10});
    EXPECT_TRUE(clock.is_over(kStart + seconds{10} + SessionClock::kExpiryMargin));
    clock.let_it_be();
    EXPECT_FALSE(clock.is_over(kStart + hours{1000}));
    EXPECT_EQ(clock.write_due(kStart, minutes{3}), kStart + minutes{3});
}

}  // namespace
}  // namespace relay
