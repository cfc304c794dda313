// What a server is told of an envelope, by what it offers: SIZE, 8BITMIME, SMTPUTF8.
#include "relay/smtp/client_envelope.h"

#include "tests/unit/smtp/conversation.h"

namespace relay {
namespace {

using Event = ClientDialogue::Event;
constexpr char kBody[] = "Subject: x\r\n\r\nbody\r\n";
const std::string kEnvelope = "MAIL FROM:<a@from.example>\r\nRCPT TO:<r@to.example>\r\nDATA\r\n";
const std::string kContentAndDot = std::string(kBody) + ".\r\n";

TEST(ClientDialogue, a_message_over_the_announced_size_is_refused_without_transfer) {
    Conversation c;
    c.greet("250-mx\r\n250-PIPELINING\r\n250 SIZE 10\r\n");
    Letter letter({"r@to.example"});
    c.dialogue.begin(letter.transaction);
    EXPECT_EQ(c.dialogue.take_finished(), &letter.transaction);
    EXPECT_EQ(letter.result().reply.enhanced, (EnhancedCode{5, 3, 4}));
    EXPECT_TRUE(letter.result().local);
    c.says("");
}

TEST(ClientDialogue, parameters_are_sent_only_when_offered) {
    Conversation c;
    c.greet("250-mx\r\n250-PIPELINING\r\n250-SIZE 0\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n");
    Letter letter({"\xc3\xa9@to.example"});
    letter.transaction.eight_bit = letter.transaction.utf8 = true;
    c.dialogue.begin(letter.transaction);
    c.says(
        "MAIL FROM:<a@from.example> SIZE=20 BODY=8BITMIME SMTPUTF8\r\n"
        "RCPT TO:<\xc3\xa9@to.example>\r\nDATA\r\n");

    Conversation plain;
    plain.greet("250-mx\r\n250 PIPELINING\r\n");
    Letter utf8({"r@to.example"});
    utf8.transaction.utf8 = true;
    plain.dialogue.begin(utf8.transaction);
    EXPECT_EQ(utf8.result().reply.enhanced, (EnhancedCode{5, 6, 9}));
    EXPECT_TRUE(utf8.result().host_lacks);
    plain.dialogue.take_finished();
    Letter eight({"r@to.example"});
    eight.transaction.eight_bit = true;
    plain.dialogue.begin(eight.transaction);
    EXPECT_EQ(eight.result().reply.enhanced, (EnhancedCode{5, 6, 3}));
    EXPECT_TRUE(eight.result().host_lacks);
}

// RFC 2852 section 4.1: what must not come late goes nowhere where it could.
TEST(ClientDialogue, by_is_passed_on_or_the_mail_comes_back) {
    const auto sent = [](const std::string& ehlo, ByTime by) {
        Conversation c;
        c.greet("250-mx\r\n250 " + ehlo + "\r\n");
        Letter letter({"r@to.example"});
        letter.transaction.by = by;
        c.dialogue.begin(letter.transaction);
        if (c.dialogue.take_finished() == nullptr) return c.written();
        EXPECT_EQ(letter.result().reply.enhanced, (EnhancedCode{5, 3, 3}));
        EXPECT_TRUE(letter.result().host_lacks);
        EXPECT_EQ(c.written(), "");
        return letter.result().reply.text;
    };
    const ByTime returned{.seconds = 60, .returns = true};
    const ByTime told{.seconds = -3, .traces = true};
    EXPECT_EQ(sent("DELIVERBY", returned), "MAIL FROM:<a@from.example> BY=60;R\r\n");
    EXPECT_EQ(sent("DELIVERBY 60", returned), "MAIL FROM:<a@from.example> BY=60;R\r\n");
    EXPECT_EQ(sent("DELIVERBY 61", returned), "receiving host wants more time than is left (BY)");
    EXPECT_EQ(sent("HELP", returned), "receiving host does not offer DELIVERBY");
    EXPECT_EQ(sent("DELIVERBY 61", told), "MAIL FROM:<a@from.example> BY=-3;NT\r\n");
    EXPECT_EQ(sent("HELP", told), "MAIL FROM:<a@from.example>\r\n");
}

// RFC 6531 section 3.2: asked for when something in this transaction needs it, and only then.
TEST(ClientDialogue, smtputf8_is_asked_for_by_what_needs_it) {
    Conversation c;
    c.greet("250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n");
    Letter plain({"r@to.example"});
    c.dialogue.begin(plain.transaction);
    c.says(kEnvelope);
    c.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    c.says(kContentAndDot);
    c.hears("250 ok\r\n");
    Letter domain(
        {"r@b\xc3\xbc"
         "cher.example"});
    c.dialogue.begin(domain.transaction);
    c.says(
        "MAIL FROM:<a@from.example> SMTPUTF8\r\nRCPT TO:<r@b\xc3\xbc"
        "cher.example>\r\nDATA\r\n");
}

// The example of RFC 6531 section 3.2: an ASCII local part makes the domain's A-labels enough.
TEST(ClientDialogue, without_smtputf8_domains_are_a_labels_and_only_local_parts_fail) {
    const auto transaction_of = [](Letter& letter) {
        letter.transaction.sender =
            "news@b\xc3\xbc"
            "cher.example";
        letter.transaction.notifications = {{Notify(Notify::kFailure),
                                             "utf-8;x@b\xc3\xbc"
                                             "cher.example"},
                                            {},
                                            {}};
    };
    Conversation c;
    c.greet("250-mx\r\n250-DSN\r\n250 PIPELINING\r\n");
    Letter letter({"r@fa\xc3\x9f.example", "\xc3\xa9@to.example", "s@to.example"});
    transaction_of(letter);
    c.dialogue.begin(letter.transaction);
    c.says(
        "MAIL FROM:<news@xn--bcher-kva.example>\r\n"
        "RCPT TO:<r@xn--fa-hia.example> NOTIFY=FAILURE ORCPT=utf-8;x@b\\x{FC}cher.example\r\n"
        "RCPT TO:<s@to.example>\r\nDATA\r\n");
    c.hears("250 ok\r\n250 ok\r\n550 5.1.1 unknown\r\n354 go\r\n");
    c.says(kContentAndDot);
    c.hears("250 ok\r\n");
    EXPECT_EQ(letter.result(0).outcome, Outcome::delivered);
    EXPECT_EQ(letter.result(1).reply.enhanced, (EnhancedCode{5, 6, 7}));
    EXPECT_EQ(letter.result(1).scope, Scope::recipient);
    EXPECT_TRUE(letter.result(1).host_lacks);
    EXPECT_EQ(letter.result(2).reply.enhanced, (EnhancedCode{5, 1, 1}));

    Conversation slow;  // in lock-step likewise
    slow.greet("250 mx\r\n");
    Letter again({"r@fa\xc3\x9f.example", "\xc3\xa9@to.example", "s@to.example"});
    transaction_of(again);
    slow.dialogue.begin(again.transaction);
    slow.says("MAIL FROM:<news@xn--bcher-kva.example>\r\n");
    slow.hears("250 ok\r\n");
    slow.says("RCPT TO:<r@xn--fa-hia.example>\r\n");
    slow.hears("250 ok\r\n");
    slow.says("RCPT TO:<s@to.example>\r\n");
    slow.hears("250 ok\r\n");
    slow.says("DATA\r\n");

    Letter nobody({"\xc3\xa9@to.example"});
    Conversation d;
    d.greet();
    d.dialogue.begin(nobody.transaction);
    EXPECT_EQ(d.dialogue.take_finished(), &nobody.transaction);
    Letter from({"r@to.example"});
    from.transaction.sender = "\xc3\xa9@from.example";
    d.dialogue.begin(from.transaction);
    EXPECT_EQ(d.dialogue.take_finished(), &from.transaction);
    EXPECT_EQ(from.result().reply.enhanced, (EnhancedCode{5, 6, 7}));
    d.says("");
}

// A server that lost track is told the same once more, and refusals of our own stay.
TEST(ClientDialogue, what_cannot_be_said_stays_unsaid_in_a_simpler_mode) {
    Conversation c;
    c.greet("250-mx\r\n250 PIPELINING\r\n");
    Letter letter({"\xc3\xa9@to.example",
                   "s@b\xc3\xbc"
                   "cher.example"});
    c.dialogue.begin(letter.transaction);
    c.says("MAIL FROM:<a@from.example>\r\nRCPT TO:<s@xn--bcher-kva.example>\r\nDATA\r\n");
    EXPECT_EQ(c.hears("250 ok\r\n503 5.5.1 what\r\n"), Event::fell_back);
    c.hears("503 5.5.1 what\r\n");
    c.says("RSET\r\n");
    c.hears("250 ok\r\n");
    c.says("MAIL FROM:<a@from.example>\r\n");
    c.hears("250 ok\r\n");
    c.says("RCPT TO:<s@xn--bcher-kva.example>\r\n");
    c.hears("250 ok\r\n");
    EXPECT_EQ(letter.transaction.results[0].reply.enhanced, (EnhancedCode{5, 6, 7}));
}

}  // namespace
}  // namespace relay
