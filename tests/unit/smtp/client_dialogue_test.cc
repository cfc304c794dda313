#include "relay/smtp/client_dialogue.h"

#include "tests/unit/smtp/conversation.h"

namespace relay {
namespace {

using Event = ClientDialogue::Event;
constexpr char kBody[] = "Subject: x\r\n\r\nbody\r\n";
const std::string kEnvelope = "MAIL FROM:<a@from.example>\r\nRCPT TO:<r@to.example>\r\nDATA\r\n";
const std::string kContentAndDot = std::string(kBody) + ".\r\n";

TEST(ClientDialogue, an_envelope_leaves_in_one_group_and_content_waits_for_its_go_ahead) {
    Conversation c;
    c.greet();
    Letter letter({"r@to.example"});
    c.dialogue.begin(letter.transaction);
    c.says(kEnvelope);
    c.hears("250 ok\r\n250 ok\r\n");
    c.says("");
    c.hears("354 go\r\n");
    c.says(kContentAndDot);
    EXPECT_EQ(c.hears("250 2.0.0 queued as 1\r\n"), Event::finished);
    EXPECT_EQ(letter.result().outcome, Outcome::delivered);
    EXPECT_EQ(letter.result().reply.enhanced, (EnhancedCode{2, 0, 0}));
    EXPECT_EQ(letter.result().reply.text, "queued as 1");
    EXPECT_TRUE(c.dialogue.idle());
}

// RFC 2920 section 3.1: the next MAIL may be in the group of the final transfer of the content.
TEST(ClientDialogue, the_next_envelope_leaves_after_the_final_dot_in_one_write) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    Letter two({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.says(kEnvelope);
    c.dialogue.begin(two.transaction);
    EXPECT_FALSE(c.dialogue.can_begin());
    c.says("");
    c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    c.says(kContentAndDot + kEnvelope);
    c.hears("250 taken\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    EXPECT_EQ(one.result().outcome, Outcome::delivered);
    c.says(kContentAndDot);
    c.hears("250 taken\r\n");
    EXPECT_EQ(two.result().outcome, Outcome::delivered);
}

TEST(ClientDialogue, a_server_without_pipelining_is_served_in_lock_step) {
    Conversation c;
    c.greet("250-mx\r\n250 8BITMIME\r\n");
    Letter letter({"r@to.example", "s@to.example"});
    c.dialogue.begin(letter.transaction);
    c.says("MAIL FROM:<a@from.example>\r\n");
    c.says("");
    c.hears("250 ok\r\n");
    c.says("RCPT TO:<r@to.example>\r\n");
    c.hears("250 ok\r\n");
    c.says("RCPT TO:<s@to.example>\r\n");
    c.hears("550 5.1.1 no such user\r\n");
    c.says("DATA\r\n");
    c.hears("354 go\r\n");
    c.says(kContentAndDot);
    c.hears("250 ok\r\n");
    EXPECT_EQ(letter.result(0).outcome, Outcome::delivered);
    EXPECT_EQ(letter.result(1).outcome, Outcome::bounced);
    EXPECT_EQ(letter.result(1).scope, Scope::recipient);
}

TEST(ClientDialogue, lock_step_stops_after_a_refused_mail) {
    Conversation c;
    c.greet("250 mx\r\n");
    Letter one({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.says("MAIL FROM:<a@from.example>\r\n");
    EXPECT_EQ(c.hears("550 5.7.1 no\r\n"), Event::finished);
    EXPECT_EQ(one.result().outcome, Outcome::bounced);
    EXPECT_EQ(one.result().command, "MAIL");
    Letter two({"r@to.example"});
    c.dialogue.begin(two.transaction);
    c.says("RSET\r\n");
    c.hears("250 ok\r\n");
    c.says("MAIL FROM:<a@from.example>\r\n");
}

TEST(ClientDialogue, a_server_that_only_knows_helo_gets_no_extensions) {
    Conversation c;
    c.says("");
    c.hears("220 old\r\n");
    c.says("EHLO me.example\r\n");
    c.hears("502 what\r\n");
    c.says("HELO me.example\r\n");
    EXPECT_EQ(c.hears("250 hello\r\n"), Event::ready);
    Letter letter({"r@to.example"});
    c.dialogue.begin(letter.transaction);
    c.says("MAIL FROM:<a@from.example>\r\n");
}

TEST(ClientDialogue, a_greeting_that_refuses_ends_the_session) {
    for (const char* greeting : {"554 5.3.2 no service\r\n", "421 busy\r\n", "450 later\r\n"}) {
        Conversation c;
        EXPECT_EQ(c.hears(greeting), Event::closing);
        EXPECT_EQ(c.dialogue.ending().command, "connect");
        EXPECT_EQ(c.dialogue.ending().scope, Scope::session);
        c.says("");
    }
}

// RFC 2920 section 3.1, RFC 5321 section 3.3: nobody accepted, yet the server asks for content.
TEST(ClientDialogue, a_go_ahead_without_recipients_gets_a_lone_dot) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    Letter two({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.says(kEnvelope);
    c.dialogue.begin(two.transaction);
    c.hears("250 ok\r\n550 5.1.1 unknown\r\n354 go\r\n");
    EXPECT_EQ(one.result().outcome, Outcome::bounced);
    c.says(".\r\n");
    c.hears("554 no valid recipients\r\n");
    EXPECT_EQ(two.result().outcome, Outcome::none);
    c.says(kEnvelope);
}

TEST(ClientDialogue, refused_recipients_and_refused_data_reset_the_transaction) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.says(kEnvelope);
    c.hears("250 ok\r\n450 4.2.1 later\r\n503 no recipients\r\n");
    EXPECT_EQ(one.result().outcome, Outcome::deferred);
    Letter two({"r@to.example"});
    c.dialogue.begin(two.transaction);
    c.says("RSET\r\n" + kEnvelope);
}

TEST(ClientDialogue, a_refused_mail_is_judged_by_its_own_reply_not_by_the_503s_after_it) {
    Conversation c;
    c.greet();
    Letter letter({"r@to.example", "s@to.example"});
    c.dialogue.begin(letter.transaction);
    c.written();
    c.hears("451 4.7.1 greylisted\r\n503 mail first\r\n503 mail first\r\n503 mail first\r\n");
    for (const Disposition& result : letter.transaction.results) {
        EXPECT_EQ(result.outcome, Outcome::deferred);
        EXPECT_EQ(result.reply.code, 451);
        EXPECT_EQ(result.scope, Scope::message);
    }
}

TEST(ClientDialogue, mixed_recipient_replies_each_decide_for_their_own) {
    Conversation c;
    c.greet();
    Letter letter({"a@to.example", "b@to.example", "c@to.example", "d@to.example"});
    c.dialogue.begin(letter.transaction);
    c.written();
    c.hears(
        "250 ok\r\n250 ok\r\n251 forwarded\r\n450 4.2.1 busy\r\n550 5.1.1 unknown\r\n354 go\r\n");
    c.written();
    c.hears("250 taken\r\n");
    EXPECT_EQ(letter.result(0).outcome, Outcome::delivered);
    EXPECT_EQ(letter.result(1).outcome, Outcome::delivered);
    EXPECT_EQ(letter.result(2).outcome, Outcome::deferred);
    EXPECT_EQ(letter.result(3).outcome, Outcome::bounced);
}

// RFC 5321 section 4.5.3.1.10: "too many recipients" is no fault of those recipients.
TEST(ClientDialogue, too_many_recipients_leave_the_rest_untouched) {
    for (const char* reply : {"452 too many\r\n", "552 too many\r\n", "452 4.5.3 too many\r\n",
                              "550 5.5.3 too many\r\n"}) {
        Conversation c;
        c.greet();
        Letter letter({"a@to.example", "b@to.example"});
        c.dialogue.begin(letter.transaction);
        c.written();
        c.hears(std::string("250 ok\r\n250 ok\r\n") + reply + "354 go\r\n");
        c.written();
        c.hears("250 taken\r\n");
        EXPECT_EQ(letter.result(0).outcome, Outcome::delivered) << reply;
        EXPECT_EQ(letter.result(1).outcome, Outcome::none) << reply;
    }
}

TEST(ClientDialogue, a_full_mailbox_is_not_too_many_recipients) {
    Conversation c;
    c.greet();
    Letter letter({"a@to.example", "b@to.example", "c@to.example"});
    c.dialogue.begin(letter.transaction);
    c.written();
    c.hears("250 ok\r\n250 ok\r\n452 4.2.2 full\r\n552 5.2.2 full\r\n354 go\r\n");
    c.written();
    c.hears("250 taken\r\n");
    EXPECT_EQ(letter.result(1).outcome, Outcome::deferred);
    EXPECT_EQ(letter.result(2).outcome, Outcome::bounced);
}

TEST(ClientDialogue,
     refused_content_counts_for_accepted_recipients_only_and_the_group_after_it_goes_on) {
    Conversation c;
    c.greet();
    Letter one({"a@to.example", "b@to.example"});
    Letter two({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.dialogue.begin(two.transaction);
    c.hears("250 ok\r\n250 ok\r\n550 5.1.1 unknown\r\n354 go\r\n");
    c.says(kContentAndDot + kEnvelope);
    c.hears("554 5.7.1 spam\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    EXPECT_EQ(one.result(0).outcome, Outcome::bounced);
    EXPECT_EQ(one.result(0).reply.code, 554);
    EXPECT_EQ(one.result(1).reply.code, 550);
    c.says(kContentAndDot);
    c.hears("250 taken\r\n");
    EXPECT_EQ(two.result().outcome, Outcome::delivered);
}

// ---- servers that cannot follow

TEST(ClientDialogue, a_server_that_answers_503_after_the_dot_is_served_one_group_at_a_time) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    Letter two({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.dialogue.begin(two.transaction);
    c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    c.says(kContentAndDot + kEnvelope);
    c.hears("250 taken\r\n503 no\r\n");
    EXPECT_EQ(c.events.back(), Event::fell_back);
    EXPECT_EQ(c.dialogue.mode(), PipelineMode::message);
    c.says("");  // the group's other replies first
    c.hears("503 no\r\n503 no\r\n");
    EXPECT_EQ(one.result().outcome, Outcome::delivered);
    c.says("RSET\r\n" + kEnvelope);
    c.hears("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    Letter three({"r@to.example"});
    c.dialogue.begin(three.transaction);
    c.says(kContentAndDot);
    c.hears("250 taken\r\n");
    EXPECT_EQ(two.result().outcome, Outcome::delivered);
    c.says(kEnvelope);
}

TEST(ClientDialogue, a_go_ahead_inside_a_dropped_group_is_ended_with_a_lone_dot) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    Letter two({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.dialogue.begin(two.transaction);
    c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    c.written();
    c.hears("250 taken\r\n503 no\r\n503 no\r\n354 go then\r\n");
    c.says(".\r\n");
    c.hears("554 nothing\r\n");
    c.says("RSET\r\n" + kEnvelope);
}

TEST(ClientDialogue, a_server_that_lies_about_pipelining_ends_up_in_lock_step) {
    Conversation c;
    c.greet();
    Letter letter({"r@to.example"});
    c.dialogue.begin(letter.transaction);
    c.written();
    c.hears("250 ok\r\n503 what\r\n503 what\r\n");
    EXPECT_EQ(c.dialogue.mode(), PipelineMode::lock_step);
    c.says("RSET\r\n");
    c.hears("250 ok\r\n");
    c.says("MAIL FROM:<a@from.example>\r\n");
}

TEST(ClientDialogue, confusion_about_the_dot_is_a_deferral_never_a_bounce) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    Letter two({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.dialogue.begin(two.transaction);
    c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    c.written();
    c.hears("503 what\r\n");
    EXPECT_EQ(one.result().outcome, Outcome::deferred);
    EXPECT_TRUE(one.result().ambiguous_end);
    EXPECT_EQ(c.dialogue.mode(), PipelineMode::message);
}

// Some servers answer the dot, drop what came behind it and stay silent.
TEST(ClientDialogue, silence_after_an_answered_dot_lowers_the_mode_and_costs_nothing) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    Letter two({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.dialogue.begin(two.transaction);
    c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    c.says(kContentAndDot + kEnvelope);
    EXPECT_EQ(c.dialogue.timeout(), std::chrono::minutes{10});
    c.hears("250 taken\r\n");
    EXPECT_EQ(c.dialogue.timeout(), ClientDialogue::kBehindDotPatience);
    c.dialogue.timed_out("no reply to MAIL in time");
    EXPECT_EQ(c.dialogue.mode(), PipelineMode::message);
    EXPECT_EQ(one.result().outcome, Outcome::delivered);
    EXPECT_EQ(two.result().outcome, Outcome::none);
}

// A site that dislikes the group so much that it drops the connection before it answers the dot
// must not be sent such a group for ever.
TEST(ClientDialogue, a_connection_lost_with_a_group_after_an_unanswered_dot_lowers_the_mode) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    Letter two({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.dialogue.begin(two.transaction);
    c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    c.written();
    c.lose();
    EXPECT_EQ(c.dialogue.mode(), PipelineMode::message);
    EXPECT_TRUE(one.result().ambiguous_end);
    EXPECT_EQ(two.result().outcome, Outcome::none);
}

// ---- BDAT (RFC 3030)

constexpr char kChunking[] = "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n";

TEST(ClientDialogue, chunking_sends_the_whole_transaction_in_one_flight) {
    Conversation c;
    c.greet(kChunking);
    Letter one({"r@to.example"}, ".dot\r\n");
    Letter two({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.says("MAIL FROM:<a@from.example>\r\nRCPT TO:<r@to.example>\r\nBDAT 6 LAST\r\n.dot\r\n");
    c.dialogue.begin(two.transaction);
    c.says("");  // RFC 4468 section 3.2: the next transaction waits for the result
    c.hears("250 ok\r\n250 ok\r\n250 taken\r\n");
    EXPECT_EQ(one.result().outcome, Outcome::delivered);
    EXPECT_EQ(c.written().substr(0, 4), "MAIL");
}

TEST(ClientDialogue, a_refused_chunk_is_followed_by_rset) {
    Conversation c;
    c.greet(kChunking);
    Letter one({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.hears("250 ok\r\n250 ok\r\n452 4.3.1 full\r\n");
    EXPECT_EQ(one.result().outcome, Outcome::deferred);
    Letter two({"r@to.example"});
    c.dialogue.begin(two.transaction);
    EXPECT_EQ(c.written().substr(0, 10), "RSET\r\nMAIL");
}

TEST(ClientDialogue, recipients_that_are_all_refused_before_a_chunk_keep_their_replies) {
    Conversation c;
    c.greet(kChunking);
    Letter one({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.hears("250 ok\r\n550 5.1.1 unknown\r\n503 no recipients\r\n");
    EXPECT_EQ(one.result().reply.code, 550);
    EXPECT_TRUE(c.dialogue.chunking());
}

TEST(ClientDialogue, a_server_that_offers_but_does_not_know_bdat_is_served_by_data) {
    Conversation c;
    c.greet(kChunking);
    Letter one({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.hears("250 ok\r\n250 ok\r\n502 unknown\r\n");
    EXPECT_EQ(c.events.back(), Event::fell_back);
    EXPECT_FALSE(c.dialogue.chunking());
    c.says("RSET\r\n" + kEnvelope);
}

// ---- what the server cannot take

// RFC 3461 section 5.2.1: what was asked for is passed on as it was written, and nothing is added.
TEST(ClientDialogue, dsn_parameters_are_for_servers_that_offer_dsn) {
    const DsnEnvelope asked{ReturnContent::headers, "QQ+2B314159"};
    const auto prepare = [&](Letter& letter) {
        letter.transaction.dsn = &asked;
        letter.transaction.notifications = {
            {Notify(Notify::kSuccess | Notify::kDelay), "rfc822;Carol+2BX@Ivory.EDU"}, {}};
    };
    Conversation c;
    c.greet("250-mx\r\n250-PIPELINING\r\n250 dsn\r\n");
    Letter letter({"a@to.example", "b@to.example"});
    prepare(letter);
    c.dialogue.begin(letter.transaction);
    c.says(
        "MAIL FROM:<a@from.example> RET=HDRS ENVID=QQ+2B314159\r\n"
        "RCPT TO:<a@to.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Carol+2BX@Ivory.EDU\r\n"
        "RCPT TO:<b@to.example>\r\nDATA\r\n");
    EXPECT_TRUE(letter.transaction.dsn_passed);

    Conversation plain;
    plain.greet("250-mx\r\n250 PIPELINING\r\n");
    Letter other({"a@to.example", "b@to.example"});
    prepare(other);
    plain.dialogue.begin(other.transaction);
    plain.says(
        "MAIL FROM:<a@from.example>\r\nRCPT TO:<a@to.example>\r\nRCPT TO:<b@to.example>\r\n"
        "DATA\r\n");
    EXPECT_FALSE(other.transaction.dsn_passed);

    Conversation unasked;
    unasked.greet("250-mx\r\n250-PIPELINING\r\n250 DSN\r\n");
    Letter nothing({"a@to.example"});
    unasked.dialogue.begin(nothing.transaction);
    unasked.says("MAIL FROM:<a@from.example>\r\nRCPT TO:<a@to.example>\r\nDATA\r\n");
    EXPECT_TRUE(nothing.transaction.dsn_passed);
}

// ---- the session ends

TEST(ClientDialogue, a_loss_after_the_dot_is_ambiguous_and_what_was_prefetched_is_untouched) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    Letter two({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.dialogue.begin(two.transaction);
    c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    c.written();
    c.lose();
    EXPECT_EQ(c.finished.size(), 2U);
    EXPECT_EQ(one.result().outcome, Outcome::deferred);
    EXPECT_TRUE(one.result().ambiguous_end);
    EXPECT_EQ(two.result().outcome, Outcome::none);
}

TEST(ClientDialogue, a_loss_in_the_middle_of_content_is_not_ambiguous) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    c.written();
    c.lose(false);
    EXPECT_EQ(one.result().outcome, Outcome::deferred);
    EXPECT_FALSE(one.result().ambiguous_end);
}

TEST(ClientDialogue,
     the_first_message_of_a_connection_counts_so_that_a_site_cannot_refuse_for_ever) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.lose();
    EXPECT_EQ(one.result().outcome, Outcome::deferred);
    EXPECT_EQ(one.result().scope, Scope::session);
}

TEST(ClientDialogue, a_peer_that_closes_between_messages_costs_no_attempt) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    c.written();
    c.hears("250 taken\r\n");
    Letter two({"r@to.example"});
    c.dialogue.begin(two.transaction);
    c.written();
    c.lose();
    EXPECT_EQ(two.result().outcome, Outcome::none);
}

TEST(ClientDialogue, a_421_instead_of_250_is_no_acceptance) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    Letter two({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.dialogue.begin(two.transaction);
    c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    c.written();
    EXPECT_EQ(c.hears("421 4.3.2 shutting down\r\n"), Event::closing);
    EXPECT_EQ(one.result().outcome, Outcome::deferred);
    EXPECT_EQ(one.result().reply.code, 421);
    EXPECT_FALSE(one.result().ambiguous_end);
    EXPECT_EQ(two.result().outcome, Outcome::none);
}

TEST(ClientDialogue, a_421_among_the_replies_to_recipients_requeues_all) {
    Conversation c;
    c.greet();
    Letter one({"a@to.example", "b@to.example", "c@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.hears("250 ok\r\n550 5.1.1 unknown\r\n421 busy\r\n");
    EXPECT_EQ(one.result(0).outcome, Outcome::bounced);
    EXPECT_EQ(one.result(1).outcome, Outcome::deferred);
    EXPECT_EQ(one.result(2).outcome, Outcome::deferred);
}

TEST(ClientDialogue, the_next_mail_refused_by_421_after_progress_goes_elsewhere_untouched) {
    Conversation c;
    c.greet();
    Letter one({"r@to.example"});
    Letter two({"r@to.example"});
    c.dialogue.begin(one.transaction);
    c.written();
    c.dialogue.begin(two.transaction);
    c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    c.written();
    c.hears("250 taken\r\n421 4.7.0 enough messages\r\n");
    EXPECT_EQ(one.result().outcome, Outcome::delivered);
    EXPECT_EQ(two.result().outcome, Outcome::none);
}

TEST(ClientDialogue, an_unsolicited_reply_on_an_idle_connection_ends_it) {
    Conversation c;
    c.greet();
    EXPECT_EQ(c.hears("421 idle too long\r\n"), Event::closing);
    EXPECT_FALSE(c.dialogue.can_begin());
}

TEST(ClientDialogue, nonsense_ends_the_session_and_defers) {
    for (const char* reply :
         {"hello\r\n", "999 x\r\n", "25 x\r\n", "250x\r\n", "250-a\r\n550 b\r\n", "354 go\r\n"}) {
        Conversation c;
        c.greet();
        Letter one({"r@to.example"});
        c.dialogue.begin(one.transaction);
        c.written();
        EXPECT_EQ(c.hears(reply), Event::closing) << reply;
        EXPECT_EQ(one.result().outcome, Outcome::deferred) << reply;
    }
}

TEST(ClientDialogue, quit_waits_for_its_answer) {
    Conversation c;
    c.greet();
    c.dialogue.quit();
    c.says("QUIT\r\n");
    EXPECT_EQ(c.hears("221 bye\r\n"), Event::closed);
}

TEST(ClientDialogue, content_is_stuffed_for_data_and_not_for_bdat) {
    Conversation c;
    c.greet();
    Letter letter({"r@to.example"});
    letter.content = Content();
    letter.content.append("a\r\n");
    letter.content.mark_leading_dot();
    letter.content.append(".b\r\n");
    letter.content.seal();
    c.dialogue.begin(letter.transaction);
    c.written();
    c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    c.says("a\r\n..b\r\n.\r\n");
}

}  // namespace
}  // namespace relay
