#include "relay/smtp/server_dialogue.h"

#include <algorithm>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/smtp/dialogue_driver.h"

namespace relay {
namespace {

using relay_test::DialogueDriver;
using std::string;
using std::string_view;

constexpr string_view kMail = "MAIL FROM:<a@example.com>\r\n";
constexpr string_view kRcpt = "RCPT TO:<b@example.com>\r\n";

DialogueDriver greeted(bool may_relay = true) {
    return DialogueDriver(
        {.hostname = "mx.example", .max_message_size = 100000, .max_recipients = 5}, may_relay);
}

// Refuses recipients of a domain, or all of them.
class Refusing final : public RecipientRules {
  public:
    explicit Refusing(RecipientFault fault, string_view domain = {})
        : fault_(fault), domain_(domain) {}
    std::optional<RecipientFault> fault_of(const AddressView& recipient) const override {
        if (!domain_.empty() && recipient.domain != domain_) return std::nullopt;
        return fault_;
    }

  private:
    const RecipientFault fault_;
    const string_view domain_;
};

class Session : public testing::Test {
  protected:
    Session() { driver.say("EHLO client.example\r\n"); }
    string say(string_view input) { return driver.say(input); }
    DialogueDriver driver = greeted();
};

TEST(ServerDialogue, greets_and_answers_ehlo) {
    DialogueDriver driver = greeted();
    driver.dialogue.greet();
    EXPECT_EQ(driver.say(""), "220 mx.example ESMTP Posthaste\r\n");
    EXPECT_EQ(driver.say("EHLO client.example\r\n"),
              "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n"
              "250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n"
              "250-DELIVERBY\r\n250 HELP\r\n");
    EXPECT_EQ(driver.dialogue.client_name(), "client.example");
    EXPECT_EQ(driver.dialogue.protocol(), "ESMTP");
    EXPECT_EQ(driver.say("HELO [192.0.2.1]\r\n"), "250 mx.example\r\n");
    EXPECT_EQ(driver.dialogue.protocol(), "SMTP");
}

// The typical transaction of RFC 5321 appendix D.1.
TEST_F(Session, takes_a_message_step_by_step) {
    EXPECT_EQ(say("MAIL FROM:<Smith@bar.com>\r\n"), "250 2.1.0 Sender ok\r\n");
    EXPECT_EQ(say("RCPT TO:<Jones@foo.com>\r\n"), "250 2.1.5 Recipient ok\r\n");
    EXPECT_EQ(say("RCPT TO:<Brown@foo.com>\r\n"), "250 2.1.5 Recipient ok\r\n");
    EXPECT_EQ(say("DATA\r\n"), "354 End with CRLF.CRLF\r\n");
    EXPECT_EQ(say("Blah blah blah...\r\n"), "");
    EXPECT_EQ(say("..etc. etc. etc.\r\n"), "");
    EXPECT_EQ(say(".\r\n"), "250 2.0.0 Ok: queued as 1\r\n");
    EXPECT_EQ(say("QUIT\r\n"), "221 2.0.0 Bye\r\n");
    EXPECT_TRUE(driver.dialogue.closed());
    EXPECT_TRUE(driver.dialogue.said_quit());
    ASSERT_EQ(driver.messages.size(), 1U);
    const auto& message = driver.messages[0];
    EXPECT_EQ(message.sender, "Smith@bar.com");
    EXPECT_EQ(message.recipients, (std::vector<string>{"Jones@foo.com", "Brown@foo.com"}));
    EXPECT_EQ(message.content, "Blah blah blah...\r\n.etc. etc. etc.\r\n");
    EXPECT_FALSE(message.eight_bit);
}

TEST_F(Session, answers_a_group_in_order) {
    EXPECT_EQ(say(string(kMail) + string(kRcpt) + "RCPT TO:<bad>\r\nDATA\r\n"),
              "250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n"
              "554 5.1.2 Recipient needs a fully qualified domain\r\n354 End with CRLF.CRLF\r\n");
    // RFC 2920 section 3.1: content may be the first command of the next group.
    EXPECT_EQ(say("one\r\n.\r\n" + string(kMail) + string(kRcpt) + "DATA\r\n"),
              "250 2.0.0 Ok: queued as 1\r\n250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n"
              "354 End with CRLF.CRLF\r\n");
    EXPECT_EQ(say("two\r\n.\r\nQUIT\r\n"), "250 2.0.0 Ok: queued as 2\r\n221 2.0.0 Bye\r\n");
    EXPECT_EQ(driver.messages[1].content, "two\r\n");
    EXPECT_EQ(driver.turnarounds, 3U);  // EHLO and DATA twice
}

TEST_F(Session, takes_the_null_sender) {
    EXPECT_EQ(say("MAIL FROM:<>\r\n"), "250 2.1.0 Sender ok\r\n");
    say(string(kRcpt) + "DATA\r\nx\r\n.\r\n");
    EXPECT_EQ(driver.messages.at(0).sender, "");
}

TEST_F(Session, refuses_bad_order) {
    EXPECT_EQ(say(kRcpt), "503 5.5.1 Send MAIL first\r\n");
    EXPECT_EQ(say("DATA\r\n"), "503 5.5.1 Send MAIL first\r\n");
    say(kMail);
    EXPECT_EQ(say(kMail), "503 5.5.1 A transaction is open: send RCPT, or RSET\r\n");
    EXPECT_EQ(say("DATA\r\n"), "554 5.5.1 No valid recipients\r\n");
    EXPECT_EQ(say("RSET\r\n"), "250 2.0.0 Ok\r\n");
    EXPECT_EQ(say(kRcpt), "503 5.5.1 Send MAIL first\r\n");
    EXPECT_EQ(say(kMail), "250 2.1.0 Sender ok\r\n");
    EXPECT_EQ(say(kRcpt), "250 2.1.5 Recipient ok\r\n");
    EXPECT_EQ(say("DATA now\r\n"), "501 5.5.4 DATA takes no argument\r\n");
    EXPECT_EQ(say("EHLO client.example\r\n").substr(0, 4), "250-");
    EXPECT_EQ(say(kRcpt), "503 5.5.1 Send MAIL first\r\n");  // EHLO resets (section 4.1.4)
    DialogueDriver mute = greeted();
    EXPECT_EQ(mute.say(kMail), "503 5.5.1 Send EHLO first\r\n");
}

TEST_F(Session, knows_the_other_commands) {
    EXPECT_EQ(say("NOOP\r\n"), "250 2.0.0 Ok\r\n");
    EXPECT_EQ(say("noop anything\r\n"), "250 2.0.0 Ok\r\n");
    EXPECT_EQ(say("VRFY a\r\n").substr(0, 9), "252 2.0.0");
    EXPECT_EQ(say("VRFY\r\n").substr(0, 9), "501 5.5.4");
    EXPECT_EQ(say("HELP\r\n").substr(0, 9), "214 2.0.0");
    EXPECT_EQ(say("RSET x\r\n").substr(0, 9), "501 5.5.4");
    EXPECT_EQ(say("QUIT x\r\n").substr(0, 9), "501 5.5.4");
    for (const string_view line :
         {"EXPN list\r\n", "TURN\r\n", "ETRN x\r\n", "AUTH PLAIN AGEAYg==\r\n", "STARTTLS\r\n"}) {
        EXPECT_EQ(say(line).substr(0, 9), "502 5.5.1") << line;
    }
    EXPECT_EQ(say("XYZZY\r\n").substr(0, 9), "500 5.5.1");
    EXPECT_EQ(say("\r\n").substr(0, 9), "500 5.5.1");
    EXPECT_FALSE(driver.dialogue.closed());
}

TEST(ServerDialogue, checks_the_ehlo_name) {
    for (const string_view name :
         {"a", "client.example", "[192.0.2.1]", "[IPv6:::1]", "my_host-1"}) {
        DialogueDriver driver = greeted();
        EXPECT_EQ(driver.say("EHLO " + string(name) + "\r\n").substr(0, 4), "250-") << name;
    }
    for (const string_view name : {"", "a b", "a)b", "a\tb", "<a>", "\xc3\xa9", "a;b"}) {
        DialogueDriver driver = greeted(false);
        EXPECT_EQ(driver.say("EHLO " + string(name) + "\r\n").substr(0, 9), "501 5.5.4") << name;
        EXPECT_EQ(driver.say("HELO " + string(name) + "\r\n").substr(0, 9), "501 5.5.4") << name;
    }
    DialogueDriver driver = greeted();
    EXPECT_EQ(driver.say("EHLO " + string(256, 'a') + "\r\n").substr(0, 9), "501 5.5.4");
}

// Q5: whatever the machines of our own senders call themselves (RFC 5321 section 4.1.4).
TEST(ServerDialogue, clients_may_have_names_that_are_no_domain) {
    for (const string_view name : {"(none)", "a_b", "M\xc3\x9cLLER-PC", "M\xdcLLER-PC", "a)b",
                                   "<a>", "host\\user", "\xff"}) {
        DialogueDriver driver = greeted();
        EXPECT_EQ(driver.say("EHLO " + string(name) + "\r\n").substr(0, 4), "250-") << name;
        EXPECT_EQ(driver.say("HELO " + string(name) + "\r\n").substr(0, 4), "250 ") << name;
        EXPECT_EQ(driver.dialogue.client_name(), name);
    }
    for (const string_view name : {"", "a b", "a\tb", "a\x1b", "a\x7f"}) {
        DialogueDriver driver = greeted();
        EXPECT_EQ(driver.say("EHLO " + string(name) + "\r\n").substr(0, 9), "501 5.5.4") << name;
    }
}

// Q7: some providers have such addresses; RFC 5321 section 4.1.2 wants them quoted.
TEST(ServerDialogue, local_parts_with_dots_anywhere_are_taken_quoted) {
    DialogueDriver driver = greeted();
    driver.say("EHLO client.example\r\nMAIL FROM:<.n@example.com>\r\n");
    EXPECT_EQ(driver.say("RCPT TO:<a..b@example.com> NOTIFY=NEVER\r\n"),
              "250 2.1.5 Recipient ok\r\n");
    driver.say("RCPT TO:<a.@example.com>\r\nDATA\r\nx: y\r\n.\r\n");
    ASSERT_EQ(driver.messages.size(), 1U);
    EXPECT_EQ(driver.messages[0].sender, "\".n\"@example.com");
    EXPECT_EQ(driver.messages[0].recipients,
              (std::vector<string>{"\"a..b\"@example.com", "\"a.\"@example.com"}));
    DialogueDriver stranger = greeted(false);
    stranger.say("EHLO client.example\r\nMAIL FROM:<n@example.com>\r\n");
    EXPECT_EQ(stranger.say("RCPT TO:<a..b@example.com>\r\n").substr(0, 3), "501");
}

// Q4
TEST_F(Session, a_recipient_who_is_named_twice_is_sent_to_once) {
    say("MAIL FROM:<a@example.com> SMTPUTF8\r\n");
    for (const string_view to : {"b@example.com", "b@EXAMPLE.com", "B@example.com", "b@example.com",
                                 "b@b\xc3\xbc"
                                 "cher.example",
                                 "b@XN--bcher-kva.example"}) {
        EXPECT_EQ(say("RCPT TO:<" + string(to) + ">\r\n"), "250 2.1.5 Recipient ok\r\n") << to;
    }
    say("DATA\r\nx: y\r\n.\r\n");
    EXPECT_EQ(driver.messages.at(0).recipients,
              (std::vector<string>{"b@example.com", "B@example.com",
                                   "b@b\xc3\xbc"
                                   "cher.example"}));
}

TEST(ServerDialogue, many_recipients_who_are_named_twice_are_sent_to_once) {
    DialogueDriver driver({.hostname = "mx.example", .max_recipients = 1000});
    driver.say("EHLO client.example\r\n");
    for (int transaction = 0; transaction < 2; ++transaction) {
        driver.say("MAIL FROM:<a@example.com>\r\n");
        for (int round = 0; round < 2; ++round) {
            for (int i = 0; i < 300; ++i)
                driver.say("RCPT TO:<r" + std::to_string(i) + "@example.com>\r\n");
        }
        EXPECT_GT(driver.dialogue.envelope().memory, 300U * 16);
        driver.say("DATA\r\nx: y\r\n.\r\n");
        EXPECT_EQ(driver.messages.back().recipients.size(), 300U);
        EXPECT_EQ(driver.messages.back().recipients[299], "r299@example.com");
        EXPECT_EQ(driver.dialogue.envelope().memory, 0U);
    }
}

// L9: what an envelope takes is asked for before it is taken.
TEST(ServerDialogue, recipients_need_room) {
    const Refusing full(RecipientFault::no_room);
    DialogueDriver driver({.hostname = "mx.example"}, true, &full);
    driver.say("EHLO client.example\r\nMAIL FROM:<a@example.com>\r\n");
    EXPECT_EQ(driver.say("RCPT TO:<b@example.com>\r\n"),
              "452 4.3.1 No room for more recipients now\r\n");
    EXPECT_EQ(driver.rejections.back().reason, RejectReason::memory_full);
}

// C10: fields that we put before such content would not stand with those in it.
TEST_F(Session, content_that_begins_with_no_field_but_resembles_it_is_refused) {
    for (const string_view first : {"\xef\xbb\xbf"
                                    "From: a@example.com",
                                    "From a@example.com Mon", ">From a@example.com Mon"}) {
        say(string(kMail) + string(kRcpt));
        EXPECT_EQ(say("DATA\r\n" + string(first) + "\r\nSubject: x\r\n\r\n\xc3\xa9\r\n.\r\n")
                      .substr(0, 42),
                  "354 End with CRLF.CRLF\r\n554 5.6.0 Content ")
            << first;
    }
    for (const string_view first : {"From : a@example.com", "From: a@example.com", "Fromage", ""}) {
        say(string(kMail) + string(kRcpt));
        EXPECT_EQ(say("DATA\r\n" + string(first) + "\r\n.\r\n").substr(24, 3), "250") << first;
    }
}

// Never an open relay: not by any way of writing a recipient (RFC 6409 section 4.3).
TEST(ServerDialogue, relays_for_nobody_else) {
    DialogueDriver driver = greeted(false);
    driver.say("EHLO stranger.example\r\n");
    std::size_t refused = 0;
    for (const string_view recipient :
         {"b@example.com", "user%example.com@mx.example", "@mx.example:user@example.com",
          "example.com!user@mx.example", "\"user@example.com\"@mx.example", "user@[127.0.0.1]",
          "user@mx.example", "postmaster@mx.example"}) {
        driver.say(kMail);
        EXPECT_EQ(driver.say("RCPT TO:<" + string(recipient) + ">\r\n"),
                  "550 5.7.1 Relaying denied\r\n");
        EXPECT_EQ(driver.say("RSET\r\n"), "250 2.0.0 Ok\r\n");
        ASSERT_EQ(driver.rejections.size(), ++refused);
        EXPECT_EQ(driver.rejections.back().reason, RejectReason::relaying_denied);
        EXPECT_EQ(driver.rejections.back().command, "RCPT");
    }
    driver.say("MAIL FROM:<>\r\n");
    EXPECT_EQ(driver.say("RCPT TO:<b@example.com>\r\n"), "550 5.7.1 Relaying denied\r\n");
    EXPECT_EQ(driver.say("DATA\r\n"), "554 5.5.1 No valid recipients\r\n");
    EXPECT_EQ(driver.say("BDAT 3 LAST\r\nabc"), "554 5.5.1 No valid recipients\r\n");
    EXPECT_TRUE(driver.messages.empty());
}

TEST_F(Session, limits_recipients_with452) {
    say(kMail);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(say("RCPT TO:<b" + std::to_string(i) + "@example.com>\r\n"),
                  "250 2.1.5 Recipient ok\r\n");
    }
    for (int i = 0; i < 50; ++i) {  // RFC 5321 section 4.5.3.1.10; no error of the client's
        EXPECT_EQ(say(kRcpt), "452 4.5.3 Too many recipients in one transaction\r\n");
    }
    say("DATA\r\nx\r\n.\r\n");
    EXPECT_EQ(driver.messages.at(0).recipients.size(), 5U);
}

TEST_F(Session, limits_size) {
    EXPECT_EQ(say("MAIL FROM:<a@example.com> SIZE=100001\r\n"),
              "552 5.3.4 Message bigger than the limit\r\n");
    EXPECT_EQ(driver.rejections.back().sender, "a@example.com");
    EXPECT_EQ(say("MAIL FROM:<a@example.com> SIZE=100000\r\n"), "250 2.1.0 Sender ok\r\n");
    say(string(kRcpt) + "DATA\r\n");
    for (int i = 0; i < 1000; ++i)
        EXPECT_EQ(say(string(100, 'x') + "\r\n"), "");
    EXPECT_EQ(say(".\r\n"), "552 5.3.4 Message bigger than the limit\r\n");
    EXPECT_EQ(say(kMail), "250 2.1.0 Sender ok\r\n");  // the session goes on
    EXPECT_TRUE(driver.messages.empty());
}

TEST_F(Session, refuses_what_cannot_be_relayed) {
    const auto content = [this](const string& text) {
        say(string(kMail) + string(kRcpt) + "DATA\r\n");
        return say(text + "\r\n.\r\n");
    };
    EXPECT_EQ(content(string(999, 'x')), "554 5.6.0 A line is longer than 998 octets\r\n");
    string hops;
    for (int i = 0; i < 100; ++i)
        hops += "Received: by x\r\n";
    EXPECT_EQ(content(hops), "554 5.4.6 Too many Received fields: a mail loop\r\n");
    EXPECT_EQ(content("Subject: \xc3\xa9\r\n"),
              "554 5.6.9 Header fields in UTF-8 need SMTPUTF8\r\n");
    EXPECT_EQ(content("Subject: e\r\n\r\n\xc3\xa9"), "250 2.0.0 Ok: queued as 1\r\n");
    EXPECT_TRUE(driver.messages.at(0).eight_bit);
    EXPECT_FALSE(driver.messages.at(0).needs_smtputf8);
    EXPECT_EQ(driver.rejections.size(), 3U);
}

TEST_F(Session, knows_smtputf8) {
    EXPECT_EQ(say("MAIL FROM:<\xc3\xa9@example.com>\r\n").substr(0, 9), "550 5.6.7");
    say(kMail);
    EXPECT_EQ(say("RCPT TO:<\xc3\xa9@example.com>\r\n").substr(0, 9), "553 5.6.7");
    say("RSET\r\n");
    say("MAIL FROM:<a@example.com> SMTPUTF8 BODY=8BITMIME\r\n");
    EXPECT_EQ(driver.dialogue.protocol(), "UTF8SMTP");
    EXPECT_EQ(say("RCPT TO:<\xc3\xa9@example.com>\r\n"), "250 2.1.5 Recipient ok\r\n");
    say("DATA\r\nSubject: x\r\n\r\n.\r\n");
    EXPECT_TRUE(driver.messages.at(0).needs_smtputf8);
    // Announced but not needed (RFC 6531 section 3.4 leaves the rest to the next hop).
    say("MAIL FROM:<a@example.com> SMTPUTF8\r\n" + string(kRcpt) + "DATA\r\nx: y\r\n\r\n.\r\n");
    EXPECT_FALSE(driver.messages.at(1).needs_smtputf8);
    say("MAIL FROM:<a@example.com> SMTPUTF8\r\n" + string(kRcpt) +
        "DATA\r\nx: \xc3\xa9\r\n\r\n.\r\n");
    EXPECT_TRUE(driver.messages.at(2).needs_smtputf8);
}

// RFC 8689 section 2: inside TLS, and nowhere else.
TEST_F(Session, offers_requiretls_inside_tls_only) {
    EXPECT_EQ(say("MAIL FROM:<a@example.com> REQUIRETLS\r\n"),
              "555 5.5.4 REQUIRETLS is offered inside TLS only\r\n");
    driver.dialogue.secured();
    EXPECT_EQ(say(kMail), "503 5.5.1 Send EHLO first\r\n");
    EXPECT_NE(say("EHLO client.example\r\n").find("250-REQUIRETLS\r\n"), string::npos);
    EXPECT_EQ(say("MAIL FROM:<a@example.com> REQUIRETLS=yes\r\n"),
              "501 5.5.4 REQUIRETLS takes no value\r\n");
    EXPECT_EQ(say("MAIL FROM:<a@example.com> REQUIRETLS\r\n"), "250 2.1.0 Sender ok\r\n");
    EXPECT_TRUE(driver.dialogue.envelope().require_tls);
    say("RSET\r\n");
    say(kMail);
    EXPECT_FALSE(driver.dialogue.envelope().require_tls);
}

TEST(ServerDialogue, refuses_address_literals) {
    const Refusing rules(RecipientFault::address_literal);
    DialogueDriver driver({.hostname = "mx.example"}, true, &rules);
    driver.say("EHLO client.example\r\n" + string(kMail));
    EXPECT_EQ(driver.say("RCPT TO:<a@[192.0.2.1]>\r\n"),
              "550 5.1.2 Mail for address literals is not taken\r\n");
    EXPECT_EQ(driver.rejections.back().reason, RejectReason::address);
}

TEST(ServerDialogue, takes_address_literals_where_they_are_allowed) {
    DialogueDriver driver({.hostname = "mx.example"});
    driver.say("EHLO client.example\r\n" + string(kMail));
    EXPECT_EQ(driver.say("RCPT TO:<a@[192.0.2.1]>\r\nRCPT TO:<a@[IPv6:2001:db8::1]>\r\n"),
              "250 2.1.5 Recipient ok\r\n250 2.1.5 Recipient ok\r\n");
    EXPECT_TRUE(driver.say("RCPT TO:<a@[192.0.2]>\r\n").starts_with("501 "));
}

// RFC 7505 section 4.2; the transaction goes on with the others.
TEST(ServerDialogue, a_domain_that_is_known_to_take_no_mail_is_refused_at_rcpt) {
    const Refusing known(RecipientFault::null_mx, "null.example");
    DialogueDriver driver({.hostname = "mx.example"}, true, &known);
    driver.say("EHLO client.example\r\n" + string(kMail));
    EXPECT_EQ(driver.say("RCPT TO:<a@null.example>\r\n" + string(kRcpt)),
              "556 5.1.10 The domain takes no mail (null MX, RFC 7505)\r\n"
              "250 2.1.5 Recipient ok\r\n");
    ASSERT_EQ(driver.rejections.size(), 1U);
    EXPECT_EQ(driver.rejections[0].reason, RejectReason::address);
    EXPECT_EQ(driver.rejections[0].recipient, "a@null.example");
    driver.say("DATA\r\nx\r\n.\r\n");
    EXPECT_EQ(driver.messages.at(0).recipients, std::vector<string>{"b@example.com"});
}

TEST_F(Session, drops_source_routes) {
    say(string(kMail) + "RCPT TO:<@one.example,@two.example:b@example.com>\r\nDATA\r\nx\r\n.\r\n");
    EXPECT_EQ(driver.messages.at(0).recipients.at(0), "b@example.com");
}

TEST_F(Session, takes_chunks) {
    // RFC 3030 section 4.2, with the commands of one flight (RFC 4468 section 3.2).
    EXPECT_EQ(say(string(kMail) + string(kRcpt) + "BDAT 4\r\nab\r\nBDAT 4 LAST\r\n.c\r\nNOOP\r\n"),
              "250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n250 2.0.0 4 octets received\r\n"
              "250 2.0.0 Ok: queued as 1\r\n250 2.0.0 Ok\r\n");
    EXPECT_EQ(driver.messages.at(0).content, "ab\r\n.c\r\n");
    EXPECT_EQ(say(string(kMail) + string(kRcpt) + "BDAT 2\r\nxyBDAT 0 LAST\r\n"),
              "250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n250 2.0.0 2 octets received\r\n"
              "250 2.0.0 Ok: queued as 2\r\n");
    EXPECT_EQ(driver.messages.at(1).content, "xy\r\n");
}

TEST_F(Session, reads_the_octets_of_refused_chunks) {
    EXPECT_EQ(say("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"),
              "503 5.5.1 Send MAIL first\r\n250 2.0.0 Ok\r\n");
    say(kMail);
    EXPECT_EQ(say("BDAT 6\r\nQUIT\r\n"), "554 5.5.1 No valid recipients\r\n");
    EXPECT_EQ(say(kRcpt), "503 5.5.1 Send MAIL first\r\n");  // that transaction is over
    driver.refuse_content = "452 4.3.1 Full";
    say(string(kMail) + string(kRcpt));
    EXPECT_EQ(say("BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n"),
              "452 4.3.1 Full\r\n503 5.5.1 Send MAIL first\r\n");
    EXPECT_FALSE(driver.dialogue.closed());
}

TEST_F(Session, keeps_data_and_bdat_apart) {
    say(string(kMail) + string(kRcpt) + "BDAT 2\r\nab");
    EXPECT_EQ(say("DATA\r\n"), "503 5.5.1 DATA cannot follow BDAT\r\n");
    EXPECT_EQ(say(kRcpt), "503 5.5.1 Content has begun\r\n");
    EXPECT_EQ(say("RSET\r\n"), "250 2.0.0 Ok\r\n");
    say(string(kMail) + string(kRcpt));
    EXPECT_EQ(say("DATA\r\n"), "354 End with CRLF.CRLF\r\n");
    EXPECT_EQ(say("x\r\n.\r\n"), "250 2.0.0 Ok: queued as 1\r\n");
    EXPECT_EQ(driver.messages.at(0).content, "x\r\n");
}

TEST_F(Session, a_big_chunk_is_read_and_refused) {
    say(string(kMail) + string(kRcpt));
    string chunk;
    while (chunk.size() < 100002)
        chunk += string(98, 'x') + "\r\n";
    EXPECT_EQ(say("BDAT " + std::to_string(chunk.size()) + "\r\n" + chunk + "BDAT 1 LAST\r\nx"),
              "552 5.3.4 Message bigger than the limit\r\n503 5.5.1 Send MAIL first\r\n");
}

TEST(ServerDialogue, a_malformed_bdat_ends_the_session) {
    for (const string_view argument : {"", "x", "-1", "18446744073709551616", "5 FIRST"}) {
        DialogueDriver driver = greeted();
        driver.say("EHLO client.example\r\n");
        EXPECT_EQ(driver.say("BDAT " + string(argument) + "\r\nabc"),
                  "501 5.5.4 Syntax: BDAT octets [LAST]\r\n");
        EXPECT_TRUE(driver.dialogue.closed());
    }
}

TEST_F(Session, overlong_lines_are_dropped) {
    const string line = "NOOP " + string(CommandLine::kMaxLine - 7, 'x') + "\r\n";
    ASSERT_EQ(line.size(), CommandLine::kMaxLine);
    EXPECT_EQ(say(line), "250 2.0.0 Ok\r\n");
    EXPECT_EQ(say("x" + line), "500 5.5.2 Line too long\r\n");
    for (int i = 0; i < 1000; ++i)
        EXPECT_EQ(say(string(1000, 'x')), "");
    EXPECT_EQ(say("\r"), "");
    EXPECT_EQ(say("\nNOOP\r\n"), "500 5.5.2 Line too long\r\n250 2.0.0 Ok\r\n");
}

TEST_F(Session, too_many_errors_end_it) {
    for (std::size_t i = 0; i < ServerDialogue::kMaxErrors; ++i) {
        EXPECT_EQ(say("XYZZY\r\n").substr(0, 3), "500");
    }
    EXPECT_EQ(say("XYZZY\r\n"), "421 4.7.0 Too many errors\r\n");
    EXPECT_TRUE(driver.dialogue.closed());
    EXPECT_EQ(say("NOOP\r\n"), "");
    EXPECT_EQ(driver.rejections.back().reason, RejectReason::too_many_errors);
}

TEST_F(Session, too_much_junk_ends_it_unless_mail_comes) {
    for (int round = 0; round < 3; ++round) {
        for (std::size_t i = 1; i < ServerDialogue::kMaxJunk; ++i) {
            EXPECT_EQ(say("RSET\r\n"), "250 2.0.0 Ok\r\n");
        }
        say(string(kMail) + string(kRcpt) + "DATA\r\nx\r\n.\r\n");
    }
    for (std::size_t i = 0; i < ServerDialogue::kMaxJunk; ++i) {
        EXPECT_EQ(say("NOOP\r\n"), "250 2.0.0 Ok\r\n");
    }
    EXPECT_EQ(say("NOOP\r\n"), "421 4.7.0 Too many commands without mail\r\n");
    EXPECT_EQ(driver.messages.size(), 3U);
}

TEST_F(Session, passes_on_back_pressure) {
    driver.refuse_mail = "452 4.3.1 Full";
    EXPECT_EQ(say(string(kMail) + string(kRcpt) + "DATA\r\n"),
              "452 4.3.1 Full\r\n503 5.5.1 Send MAIL first\r\n503 5.5.1 Send MAIL first\r\n");
    driver.refuse_mail.clear();
    driver.refuse_content = "452 4.3.1 Full";
    EXPECT_EQ(say(string(kMail) + string(kRcpt) + "DATA\r\n"),
              "250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n452 4.3.1 Full\r\n");
    EXPECT_TRUE(driver.dialogue.refused_data());
    driver.refuse_content.clear();
    driver.refuse_message = "452 4.3.1 Full";
    say(string(kMail) + string(kRcpt) + "DATA\r\n");
    EXPECT_EQ(say("x\r\n.\r\n"), "452 4.3.1 Full\r\n");
    driver.refuse_message = "421 4.3.2 Going";
    say(string(kMail) + string(kRcpt) + "DATA\r\n");
    EXPECT_EQ(say("x\r\n.\r\n"), "421 4.3.2 Going\r\n");
    EXPECT_TRUE(driver.dialogue.closed());
}

TEST_F(Session, draining_lets_content_finish) {
    say(string(kMail) + string(kRcpt) + "DATA\r\nhalf");
    driver.dialogue.drain();
    EXPECT_EQ(say("\r\n.\r\n"), "250 2.0.0 Ok: queued as 1\r\n");
    EXPECT_EQ(say(kMail), "421 4.3.2 Shutting down, try again\r\n");
    EXPECT_TRUE(driver.dialogue.closed());
}

TEST(ServerDialogue, does_not_speak_http) {
    DialogueDriver driver = greeted();
    EXPECT_EQ(driver.say("POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\n"),
              "421 4.7.0 This is SMTP\r\n");
    EXPECT_TRUE(driver.dialogue.closed());
}

// RFC 2034 section 4: every 2yz, 4yz and 5yz reply but greeting and EHLO has an enhanced code of
// its class, and 3yz has none.
TEST_F(Session, replies_have_enhanced_codes) {
    string all;
    for (const string_view line :
         {"NOOP\r\n", "HELP\r\n", "VRFY x\r\n", "EXPN x\r\n", "MAIL FROM:<bad>\r\n", "RCPT\r\n",
          "DATA\r\n", "MAIL FROM:<a@example.com>\r\n", "RCPT TO:<b@example.com>\r\n",
          "BDAT 3\r\nabc", "RSET\r\n", "BDAT 3\r\nabc", "?\r\n", "QUIT\r\n"}) {
        all += say(line);
    }
    std::size_t lines = 0;
    for (std::size_t at = 0; at < all.size(); at = all.find("\r\n", at) + 2) {
        EXPECT_EQ(all[at + 3], ' ');
        EXPECT_EQ(all[at], all[at + 4]);
        EXPECT_EQ(all[at + 5], '.');
        EXPECT_EQ(all[at + 7], '.');
        ++lines;
    }
    EXPECT_EQ(lines, 14U);
}

// The same replies and messages wherever the network cuts the octets.
TEST(ServerDialogue, does_not_depend_on_pieces) {
    const string session =
        "EHLO client.example\r\nMAIL FROM:<a@example.com> SIZE=30\r\nRCPT TO:<b@example.com>\r\n"
        "RCPT TO:<c@example.com>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nMAIL FROM:<>\r\n"
        "RCPT TO:<d@example.com>\r\nBDAT 7\r\nab\r\n.c\r\nBDAT 3 LAST\r\n\nz\nNOOP\r\nQUIT\r\n";
    DialogueDriver whole = greeted();
    const string replies = whole.say(session);
    EXPECT_EQ(whole.messages.size(), 1U);
    for (std::size_t first = 1; first < session.size(); ++first) {
        DialogueDriver driver = greeted();
        string heard = driver.say(string_view(session).substr(0, first));
        for (std::size_t at = first; at < session.size(); at += first) {
            heard += driver.say(string_view(session).substr(at, first));
        }
        EXPECT_EQ(heard, replies);
        EXPECT_EQ(driver.messages, whole.messages);
    }
}

}  // namespace
}  // namespace relay
