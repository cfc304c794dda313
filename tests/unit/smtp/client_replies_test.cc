// What a ClientDialogue makes of replies that are long, odd, not asked for, or to nobody's content.
#include "relay/smtp/client_dialogue.h"
#include "tests/unit/smtp/conversation.h"

namespace relay {
namespace {

using Event = ClientDialogue::Event;
constexpr char kBody[] = "Subject: x\r\n\r\nbody\r\n";
const std::string kContentAndDot = std::string(kBody) + ".\r\n";

// C1
TEST(ClientReplies, keywords_at_the_end_of_a_long_reply_to_ehlo_count) {
    std::string ehlo = "250-mx\r\n";
    for (int i = 0; i < 60; ++i)
        ehlo += "250-XKEYWORD" + std::to_string(i) + " with some words\r\n";
    Conversation c;
    c.greet(ehlo + "250-PIPELINING\r\n250-SIZE 10240000\r\n250 8BITMIME\r\n");
    EXPECT_TRUE(c.dialogue.extensions().pipelining && c.dialogue.extensions().eight_bit);
    EXPECT_EQ(c.dialogue.extensions().size_limit, 10'240'000U);
}

// ---- what is no answer

// C11: the code of what nobody asked for is no code of an event.
TEST(ClientReplies, a_second_greeting_is_a_deferral_of_ours) {
    for (const bool at_once : {true, false}) {
        Conversation c;
        c.says("");
        c.hears(at_once ? "220 one\r\n220 two\r\n" : "220 one\r\n");
        if (!at_once) {
            c.says("EHLO me.example\r\n");
            c.hears("220 two\r\n");
        }
        const Disposition& why = c.dialogue.ending();
        EXPECT_EQ(why.outcome, Outcome::deferred);
        EXPECT_EQ(why.reply.code, 451);
        EXPECT_EQ(why.reply.enhanced, (EnhancedCode{4, 5, 0}));
        EXPECT_TRUE(why.local);
        EXPECT_FALSE(c.dialogue.can_begin());
    }
}

TEST(ClientReplies, a_reply_that_was_not_asked_for_never_lends_its_code_to_a_deferral) {
    for (const char* reply : {"220 hello", "250 ok", "299 x", "354 go", "334 eA=="}) {
        Conversation idle;
        idle.greet();
        EXPECT_EQ(idle.hears(std::string(reply) + "\r\n"), Event::closing);
        EXPECT_EQ(idle.dialogue.ending().reply.code, 451) << reply;
        for (const char* before :
             {"", "250 ok\r\n", "250 ok\r\n250 ok\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"}) {
            Conversation c;
            c.greet();
            Letter letter({"r@to.example"});
            c.dialogue.begin(letter.transaction);
            c.written();
            c.hears(before);
            c.written();
            c.hears(std::string(reply) + "\r\n");
            c.lose();
            const Disposition& result = letter.result();
            const bool delivered = result.outcome == Outcome::delivered;
            EXPECT_EQ(delivered,
                      std::string_view(before).ends_with("354 go\r\n") && reply[0] == '2')
                << before << reply;
            if (!delivered) EXPECT_GE(result.reply.code, 400) << before << reply;
        }
    }
    Conversation refused;
    refused.greet();
    EXPECT_EQ(refused.hears("421 4.3.2 idle too long\r\n"), Event::closing);
    EXPECT_EQ(refused.dialogue.ending().reply.code, 421);
}

// A blank line would otherwise make a duplicate.
TEST(ClientReplies, a_blank_line_before_the_reply_to_the_content_is_skipped) {
    Conversation c;
    c.greet();
    Letter letter({"r@to.example"});
    c.dialogue.begin(letter.transaction);
    c.written();
    c.hears("250 ok\r\n\r\n250 ok\r\n354 go\r\n");
    c.written();
    EXPECT_EQ(c.hears("\r\n250 taken\r\n"), Event::finished);
    EXPECT_EQ(letter.result().outcome, Outcome::delivered);
}

// C8
TEST(ClientReplies, lines_of_one_first_digit_after_the_final_dot_are_one_reply) {
    const auto result_of = [](const std::string& reply) {
        Conversation c;
        c.greet();
        Letter letter({"r@to.example"});
        c.dialogue.begin(letter.transaction);
        c.written();
        c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
        c.written();
        EXPECT_EQ(c.hears(reply), Event::finished);
        return letter.result();
    };
    EXPECT_EQ(result_of("250-taken\r\n251 forwarded\r\n").outcome, Outcome::delivered);
    const Disposition refused = result_of("550-5.1.1 no\r\n554 5.7.1 spam\r\n");
    EXPECT_EQ(refused.outcome, Outcome::bounced);
    EXPECT_EQ(refused.reply.code, 554);
    EXPECT_EQ(refused.reply.enhanced, (EnhancedCode{5, 7, 1}));
}

// ---- who was accepted, and who was not

constexpr PipelineMode kModes[] = {PipelineMode::lock_step, PipelineMode::message,
                                   PipelineMode::next};

std::string spoken(Conversation& c, const std::string& rcpt, const std::string& data,
                   const std::string& dot) {
    std::string all;
    for (const std::string& reply : {std::string("250 ok"), rcpt, data, dot}) {
        all += c.written();
        if (!c.finished.empty()) break;
        c.hears(reply + "\r\n");
    }
    return all + c.written();
}

// Every 2yz to RCPT accepts (RFC 5321 section 4.3.2), so the content goes to a single recipient.
TEST(ClientReplies, every_positive_reply_to_rcpt_is_acceptance) {
    for (const PipelineMode mode : kModes) {
        for (const char* rcpt :
             {"250 ok", "251 will forward", "252 cannot verify", "200 x", "299 x"}) {
            Conversation c(mode);
            c.greet();
            Letter letter({"r@to.example"});
            c.dialogue.begin(letter.transaction);
            const std::string said = spoken(c, rcpt, "354 go", "250 2.0.0 taken");
            EXPECT_TRUE(said.contains(kContentAndDot)) << rcpt;
            EXPECT_EQ(letter.result().outcome, Outcome::delivered) << rcpt;
            EXPECT_EQ(letter.result().reply.text, "taken") << rcpt;  // of the content, not of RCPT
            EXPECT_EQ(letter.result().recipients, 1U);
        }
    }
}

// Nobody accepted: a go-ahead is ended by a lone dot, whose reply delivers nothing.
TEST(ClientReplies, a_lone_dot_is_never_a_delivery) {
    for (const PipelineMode mode : kModes) {
        for (const char* rcpt : {"300 x", "354 x", "399 x", "450 x", "499 x", "550 x", "599 x"}) {
            for (const char* dot : {"250 taken", "251 taken", "354 go", "451 no", "554 no"}) {
                Conversation c(mode);
                c.greet();
                Letter letter({"r@to.example"});
                c.dialogue.begin(letter.transaction);
                const std::string said = spoken(c, rcpt, "354 go", dot);
                c.hears(std::string(dot) + "\r\n");
                EXPECT_FALSE(said.contains(kBody)) << rcpt;
                EXPECT_NE(letter.result().outcome, Outcome::delivered) << rcpt << " " << dot;
                EXPECT_NE(letter.result().outcome, Outcome::none) << rcpt << " " << dot;
                EXPECT_EQ(letter.result().command, "RCPT") << rcpt << " " << dot;
                EXPECT_GE(letter.result().reply.code, 400) << rcpt << " " << dot;
            }
        }
    }
}

// Of several recipients those that were accepted get the reply to the content, and nobody else.
TEST(ClientReplies, the_reply_to_content_names_how_many_it_is_about) {
    Conversation c;
    c.greet();
    Letter letter({"a@to.example", "b@to.example", "c@to.example"});
    c.dialogue.begin(letter.transaction);
    c.written();
    c.hears("250 ok\r\n251 ok\r\n550 no\r\n252 ok\r\n354 go\r\n");
    c.written();
    c.hears("554 no such user\r\n");
    EXPECT_EQ(letter.result(0).recipients, 2U);
    EXPECT_EQ(letter.result(1).command, "RCPT");
    EXPECT_EQ(letter.result(1).recipients, 1U);
    EXPECT_EQ(letter.result(2).recipients, 2U);
}

}  // namespace
}  // namespace relay
