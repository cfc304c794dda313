#include "bench/load/sink_rules.h"

#include <gtest/gtest.h>

namespace bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

core::Instant at(core::Duration since) {
    return core::Instant{since};
}

TEST(SinkRules, matches_stage_and_domain) {
    SinkRules rules;
    ASSERT_TRUE(rules.add("RCPT@slow.example: 451 4.7.1 later"));
    ASSERT_TRUE(rules.add("RCPT@*.wild.example: 550 5.1.1 no"));
    EXPECT_TRUE(rules.has(Stage::rcpt));
    EXPECT_FALSE(rules.has(Stage::dot));
    EXPECT_EQ(rules.judge(Stage::rcpt, "a@SLOW.example", "", at(seconds{0})).reply,
              "451 4.7.1 later\r\n");
    EXPECT_EQ(rules.judge(Stage::rcpt, "a@b.wild.example", "", at(seconds{0})).reply,
              "550 5.1.1 no\r\n");
    EXPECT_TRUE(rules.judge(Stage::rcpt, "a@wild.example", "", at(seconds{0})).reply.empty());
    EXPECT_TRUE(rules.judge(Stage::rcpt, "a@notslow.example", "", at(seconds{0})).reply.empty());
    EXPECT_TRUE(rules.judge(Stage::mail, "a@slow.example", "", at(seconds{0})).reply.empty());
}

TEST(SinkRules, chooses_by_count) {
    SinkRules rules;
    ASSERT_TRUE(rules.add("DOT: 451 x; every 3"));
    ASSERT_TRUE(rules.add("MAIL: 421 x; after 2; first 1"));
    std::string dots;
    std::string mails;
    for (int i = 0; i < 7; ++i) {
        dots += rules.judge(Stage::dot, "", "", at(seconds{0})).refused() ? 'x' : '.';
        mails += rules.judge(Stage::mail, "", "", at(seconds{0})).refused() ? 'x' : '.';
    }
    EXPECT_EQ(dots, "..x..x.");
    EXPECT_EQ(mails, "..x....");
}

TEST(SinkRules, chooses_by_time_and_chance) {
    SinkRules rules;
    rules.start(at(seconds{100}));
    ASSERT_TRUE(rules.add("MAIL: 421 x; from 5s; until 10s"));
    ASSERT_TRUE(rules.add("DOT: drop; chance 25%"));
    EXPECT_FALSE(rules.judge(Stage::mail, "", "", at(seconds{104})).refused());
    EXPECT_TRUE(rules.judge(Stage::mail, "", "", at(seconds{105})).refused());
    EXPECT_FALSE(rules.judge(Stage::mail, "", "", at(seconds{110})).refused());
    int dropped = 0;
    for (int i = 0; i < 10000; ++i) {
        dropped += rules.judge(Stage::dot, "", "", at(seconds{100})).ending == Ending::drop;
    }
    EXPECT_NEAR(dropped, 2500, 200);
}

TEST(SinkRules, greylists_each_key_for_its_time) {
    SinkRules rules;
    ASSERT_TRUE(rules.add("RCPT: greylist 60s"));
    EXPECT_TRUE(rules.judge(Stage::rcpt, "", "a", at(seconds{0})).refused());
    EXPECT_TRUE(rules.judge(Stage::rcpt, "", "a", at(seconds{59})).refused());
    EXPECT_TRUE(rules.judge(Stage::rcpt, "", "b", at(seconds{60})).refused());
    EXPECT_FALSE(rules.judge(Stage::rcpt, "", "a", at(seconds{60})).refused());
}

TEST(SinkRules, reads_endings_delays_and_lines) {
    SinkRules rules;
    ASSERT_TRUE(rules.add("EHLO: 421 4.3.2 bye"));
    ASSERT_TRUE(rules.add("DATA: delay 20ms"));
    ASSERT_TRUE(rules.add("QUIT: 250 one\\ntwo; close"));
    EXPECT_EQ(rules.judge(Stage::ehlo, "", "", at({})).ending, Ending::close);
    EXPECT_EQ(rules.judge(Stage::data, "", "", at({})).delay, milliseconds{20});
    const Verdict quit = rules.judge(Stage::quit, "", "", at({}));
    EXPECT_EQ(quit.reply, "250-one\r\n250 two\r\n");
    EXPECT_EQ(quit.ending, Ending::close);
    EXPECT_FALSE(quit.refused());
}

TEST(SinkRules, refuses_what_it_does_not_understand) {
    SinkRules rules;
    for (const char* text : {"RCPT", "WHAT: drop", "RCPT:", "RCPT: every 3", "RCPT: 45 x",
                             "RCPT: drop; every x", "RCPT: delay", "RCPT: delay 3", "RCPT: dorp"}) {
        EXPECT_FALSE(rules.add(text)) << text;
    }
    EXPECT_TRUE(rules.empty());
}

}  // namespace
}  // namespace bench
