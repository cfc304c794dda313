#include "relay/intake/smtp/smtp_session.h"

#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "relay/events/event_sink.h"
#include "relay/intake/seven_bit_content.h"
#include "tests/unit/core/net/scripted_stream.h"
#include "tests/unit/intake/kept_acceptance.h"
#include "tests/unit/intake/scarce_memory.h"

namespace relay {
namespace {

using std::string;
using std::string_view;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr string_view kEhlo = "EHLO client.example\r\n";
constexpr string_view kEnvelope = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n";
constexpr string_view kGreeting = "220 mx.example ESMTP Posthaste\r\n";

class SmtpSessionTest : public testing::Test {
  protected:
    void TearDown() override { events.close(); }

    // Plays the script; answers what the client heard behind the EHLO reply.
    string play(bool may_relay = true) {
        serve(stream, may_relay);
        const string_view ehlo = "250 HELP\r\n";
        const auto at = stream.heard().find(ehlo);
        return at == string::npos ? stream.heard() : stream.heard().substr(at + ehlo.size());
    }
    void serve(core::test::ScriptedStream& client, bool may_relay = true) {
        Intake intake(loop.reactor(), policy, acceptance, metrics, events, metrics::Protocol::smtp);
        SmtpSessionContext context{intake, dialogue, times, durable};
        {
            SmtpSession session(context, client, may_relay, "SESSION");
            loop.run(session.run());
        }
        EXPECT_EQ(intake.shares().total(), 0U);
        intake.close();
    }
    void say(string_view octets, core::Duration delay = {}) { stream.say(string(octets), delay); }
    std::uint64_t rejected(metrics::Rejection why) {
        return metrics.rejected_count(metrics::Protocol::smtp, why).value();
    }

    core::test::TestLoop loop;
    relay_test::KeptAcceptance acceptance{loop.reactor()};
    metrics::ShardMetrics metrics;
    MemoryEventSink sink;
    EventWriter events{sink, loop.reactor()};
    IntakePolicy policy{.hostname = "mx.example", .allow = {}};
    ServerDialogueOptions dialogue{.hostname = "mx.example"};
    SmtpTimes times;
    bool durable = true;
    core::test::ScriptedStream stream{loop.reactor()};
};

TEST_F(SmtpSessionTest, hands_over_a_complete_message) {
    say(kEhlo);
    say("MAIL FROM:<a@example.com> SIZE=40\r\n");
    say("RCPT TO:<b@example.com>\r\n");
    say("DATA\r\n");
    say("Subject: x\r\n\r\n..dot \xc3\xa9\r\n.\r\n");
    say("QUIT\r\n");
    policy.convert_eight_bit = false;
    const string heard = play();
    ASSERT_EQ(acceptance.messages.size(), 1U);
    const Message& message = *acceptance.messages[0];
    EXPECT_EQ(heard,
              "250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n354 End with CRLF.CRLF\r\n"
              "250 2.0.0 Ok: queued as " +
                  message.id.to_string() + "\r\n221 2.0.0 Bye\r\n");
    EXPECT_EQ(message.sender, "a@example.com");
    ASSERT_EQ(message.recipients.size(), 1U);
    EXPECT_EQ(message.recipients[0]->address, "b@example.com");
    EXPECT_EQ(message.recipients[0]->message, &message);
    EXPECT_TRUE(message.eight_bit);
    EXPECT_FALSE(message.utf8);
    EXPECT_EQ(message.injection().protocol, "ESMTP");
    EXPECT_EQ(message.injection().session_id, "SESSION");
    EXPECT_EQ(message.injection().client_name, "client.example");
    EXPECT_EQ(message.injection().client_address, "192.0.2.7");
    // RFC 5321 section 4.4.
    const string content = message.content.to_string();
    EXPECT_TRUE(
        content.starts_with("Received: from client.example ([192.0.2.7])\r\n"
                            "\tby mx.example with ESMTP id " +
                            message.id.to_string() + "\r\n\tfor <b@example.com>;\r\n\t"))
        << content;
    EXPECT_TRUE(content.ends_with(" +0000\r\nSubject: x\r\n\r\n.dot \xc3\xa9\r\n"));
    EXPECT_TRUE(stream.heard().starts_with(kGreeting));
}

TEST_F(SmtpSessionTest, a_known_null_mx_is_refused_at_rcpt) {
    acceptance.null_mx = "null.example";
    say(kEhlo);
    say("MAIL FROM:<a@example.com>\r\nRCPT TO:<a@null.example>\r\n");
    say("QUIT\r\n");
    const string heard = play();
    EXPECT_NE(heard.find("\r\n556 5.1.10 "), string::npos) << heard;
    EXPECT_EQ(rejected(metrics::Rejection::address), 1U);
    events.flush();
    EXPECT_NE(sink.lines().find("\"code\":556"), string::npos);
}

TEST_F(SmtpSessionTest, a_field_that_names_no_priority_refuses_the_message_and_no_other) {
    policy.labels.priority = "X-Urgency";
    say(kEhlo);
    for (const char* urgency : {"high", "urgent"}) {
        say(string(kEnvelope) + "DATA\r\n");
        say("Subject: x\r\nX-Urgency: " + string(urgency) + "\r\n\r\nhello\r\n.\r\n");
    }
    say("QUIT\r\n");
    const string heard = play();
    EXPECT_NE(heard.find("554 5.6.0 X-Urgency must be urgent, normal or bulk\r\n"), string::npos)
        << heard;
    ASSERT_EQ(acceptance.messages.size(), 1U);
    EXPECT_EQ(acceptance.messages[0]->priority, Priority::urgent);
    EXPECT_EQ(rejected(metrics::Rejection::content), 1U);
}

TEST_F(SmtpSessionTest, mail_of_a_listener_may_expire_sooner) {
    policy.max_age = std::chrono::hours{3};
    say(kEhlo);
    say(string(kEnvelope) + "DATA\r\n");
    say("Subject: x\r\n\r\nhello\r\n.\r\n");
    say("QUIT\r\n");
    play();
    ASSERT_EQ(acceptance.messages.size(), 1U);
    const Message& message = *acceptance.messages[0];
    EXPECT_EQ(message.expires(), message.created + std::chrono::hours{3});
}

// RFC 6152 section 3: before the queue, so that every server takes it.
TEST_F(SmtpSessionTest, content_with_octets_above_127_is_made_7bit) {
    say(kEhlo);
    const auto send = [&](const string& content) {
        say(string(kEnvelope) + "DATA\r\n");
        say(content + ".\r\n");
    };
    send("MIME-Version: 1.0\r\n\r\n..dot \xc3\xa9\r\n");
    send("DKIM-Signature: v=1\r\n\r\n\xc3\xa9\r\n");
    send("Subject: x\r\n\r\nseven =\r\n");
    say("MAIL FROM:<a@example.com> SMTPUTF8\r\n");
    say("RCPT TO:<b@example.com>\r\n");
    say("DATA\r\n");
    say("Subject: \xc3\xa9\r\n\r\n\xc3\xa9\r\n.\r\n");
    play();
    ASSERT_EQ(acceptance.messages.size(), 4U);
    const auto content = [&](std::size_t i) { return acceptance.messages[i]->content.to_string(); };
    EXPECT_TRUE(content(0).ends_with(
        "\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "=2Edot =C3=A9\r\n"));
    EXPECT_FALSE(acceptance.messages[0]->eight_bit);
    EXPECT_EQ(acceptance.messages[0]->content.leading_dots(), 0U);
    EXPECT_TRUE(content(1).ends_with("\r\n\r\n\xc3\xa9\r\n"));
    EXPECT_TRUE(acceptance.messages[1]->eight_bit);
    EXPECT_TRUE(content(2).ends_with("\r\nSubject: x\r\n\r\nseven =\r\n"));
    EXPECT_TRUE(content(3).ends_with("\r\n\r\n\xc3\xa9\r\n"));  // needs SMTPUTF8 anyway
    EXPECT_TRUE(acceptance.messages[3]->utf8);
}

TEST_F(SmtpSessionTest, no_room_for_the_conversion_is_no_room) {
    acceptance.room = 1500;
    say(kEhlo);
    say(string(kEnvelope) + "DATA\r\n");
    say("Subject: x\r\n\r\n" + string(700, '\xe9') + "\r\n.\r\n");
    say("QUIT\r\n");
    EXPECT_TRUE(play().contains("452 4.3.1 "));
    EXPECT_TRUE(acceptance.messages.empty());
}

TEST_F(SmtpSessionTest, says_when_it_promises_memory_only) {
    durable = false;
    say(kEhlo);
    say(string(kEnvelope) + "RCPT TO:<c@example.com>\r\nDATA\r\n");
    say("x: y\r\n\r\n.\r\n");
    EXPECT_NE(play().find("250 2.0.0 Ok: queued in memory as "), string::npos);
    // Who else gets it is nobody's business (RFC 5321 section 7.6).
    EXPECT_EQ(acceptance.messages.at(0)->content.to_string().find("for <"), string::npos);
}

// RFC 2920 section 3.2: the replies to a group leave together, also those behind a commit that
// takes its time.
TEST_F(SmtpSessionTest, answers_each_group_with_one_write) {
    acceptance.commit_takes = milliseconds(5);
    say(kEhlo);
    say(string(kEnvelope) + "DATA\r\n");
    for (int i = 0; i < 10; ++i)
        say("x: y\r\n\r\n.\r\n" + string(kEnvelope) + "DATA\r\n");
    say("x: y\r\n\r\n.\r\nQUIT\r\n");
    play();
    EXPECT_EQ(acceptance.messages.size(), 11U);
    EXPECT_EQ(stream.writes(), 2 + 1 + 10 + 1U);  // greeting, EHLO, and one for each group
}

TEST_F(SmtpSessionTest, takes_a_whole_transaction_in_one_flight) {
    say(kEhlo);
    say(string(kEnvelope) + "BDAT 6 LAST\r\nx: y\r\n" + string(kEnvelope) +
        "BDAT 6 LAST\r\nx: z\r\nQUIT\r\n");
    play();
    EXPECT_EQ(acceptance.messages.size(), 2U);
    EXPECT_EQ(stream.writes(), 3U);
}

TEST_F(SmtpSessionTest, flushes_where_the_client_has_to_wait) {
    say(kEhlo);
    say("NOOP\r\nNOOP\r\nRSET\r\nRSET\r\nNOOP\r\n");
    play();
    EXPECT_EQ(stream.writes(),
              2 + 3U);  // RFC 2920 section 3.2: NOOP's reply is never held back
}

TEST_F(SmtpSessionTest, strangers_are_told_and_may_not_run_ahead) {
    say(kEhlo);
    say(kEnvelope);
    say("DATA\r\n");
    say("QUIT\r\n");
    EXPECT_EQ(play(false),
              "250 2.1.0 Sender ok\r\n550 5.7.1 Relaying denied for 192.0.2.7\r\n"
              "554 5.5.1 No valid recipients\r\n221 2.0.0 Bye\r\n");
    EXPECT_EQ(rejected(metrics::Rejection::relay_denied), 1U);
    events.flush();
    EXPECT_NE(sink.lines().find("\"type\":\"Rejection\""), string::npos);
    EXPECT_NE(sink.lines().find("Relaying denied"), string::npos);
    EXPECT_NE(sink.lines().find("b@example.com"), string::npos);
}

TEST_F(SmtpSessionTest, a_stranger_out_of_step_is_cut_off) {
    say("EHLO spammer.example\r\nMAIL FROM:<a@example.com>\r\n");
    EXPECT_EQ(play(false), "554 5.5.0 Out of step: wait for the reply\r\n");
}

TEST_F(SmtpSessionTest, a_stranger_gets_little_time) {
    say(kEhlo);
    for (int i = 0; i < 10; ++i)
        say("NOOP\r\n", seconds(25));
    EXPECT_EQ(play(false),
              "250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n421 4.4.2 Waited too long for a command\r\n");
}

TEST_F(SmtpSessionTest, content_after_a_refused_data_is_not_obeyed) {
    say(kEhlo);
    say("MAIL FROM:<a@example.com>\r\nDATA\r\nMAIL FROM:<evil@example.com>\r\n.\r\nQUIT\r\n");
    EXPECT_EQ(play(),
              "250 2.1.0 Sender ok\r\n554 5.5.1 No valid recipients\r\n"
              "554 5.5.0 Out of step: wait for the reply\r\n");
}

TEST_F(SmtpSessionTest, passes_on_back_pressure) {
    acceptance.refusal = Refusal::memory_full;
    say(kEhlo);
    say(kEnvelope);
    say("QUIT\r\n");
    EXPECT_EQ(play(),
              "452 4.3.1 No room for more mail now\r\n503 5.5.1 Send MAIL first\r\n"
              "221 2.0.0 Bye\r\n");
    EXPECT_EQ(rejected(metrics::Rejection::memory_full), 1U);
}

TEST_F(SmtpSessionTest, passes_on_a_refused_commit) {
    acceptance.commit_refusal = Refusal::draining;
    say(kEhlo);
    say(string(kEnvelope) + "DATA\r\n");
    say("x: y\r\n\r\n.\r\n");
    EXPECT_TRUE(
        play().ends_with("354 End with CRLF.CRLF\r\n421 4.3.2 Shutting down, try again\r\n"));
    EXPECT_TRUE(acceptance.messages.empty());
}

TEST_F(SmtpSessionTest, asks_for_room_while_content_grows) {
    acceptance.room = 4 << 20;
    say(kEhlo);
    say(string(kEnvelope) + "DATA\r\n");
    string lines;
    for (int i = 0; i < 100; ++i)
        lines += string(98, 'x') + "\r\n";
    for (int i = 0; i < 1000; ++i)
        say(lines);  // 10 MB
    EXPECT_TRUE(play().ends_with("421 4.3.1 No room for the rest of this message\r\n"));
    EXPECT_EQ(rejected(metrics::Rejection::memory_full), 1U);
}

TEST_F(SmtpSessionTest, refused_content_is_forgotten) {
    say(kEhlo);
    say(string(kEnvelope) + "BDAT 6\r\nx: y\r\n");
    say("RSET\r\n");
    say("NOOP\r\n", seconds(200));  // no content is on its way any more: no rate is asked for
    say(string(kEnvelope) + "DATA\r\n");
    say("x: " + string(2000, 'y') + "\r\n\r\n.\r\n");
    say("NOOP\r\n", seconds(200));
    say("QUIT\r\n");
    const string heard = play();
    EXPECT_NE(heard.find("554 5.6.0 A line is longer than 998 octets\r\n250 2.0.0 Ok\r\n221"),
              string::npos)
        << heard;
}

TEST_F(SmtpSessionTest, smuggled_input_is_read_and_ignored) {
    say(kEhlo);
    say(string(kEnvelope) + "DATA\r\n");
    say("x: y\r\n\r\nbody\n.\nMAIL FROM:<evil@example.com>\r\n.\r\nRSET\r\n");
    say("NOOP\r\n");
    EXPECT_TRUE(play().ends_with("550 5.5.2 Bare CR or LF in content\r\n"));
    EXPECT_EQ(stream.unread(), 0U);
    EXPECT_EQ(rejected(metrics::Rejection::content), 1U);
}

TEST_F(SmtpSessionTest, ends_an_idle_session) {
    say(kEhlo);
    stream.stay_silent();
    EXPECT_EQ(play(), "421 4.4.2 Waited too long for a command\r\n");
    EXPECT_GE(loop.elapsed(), seconds(300));
    EXPECT_LE(loop.elapsed(), seconds(303));
    EXPECT_EQ(rejected(metrics::Rejection::timeout), 1U);
}

TEST_F(SmtpSessionTest, ends_content_that_drips) {
    say(kEhlo);
    say(string(kEnvelope) + "DATA\r\n");
    for (int i = 0; i < 1000; ++i)
        say("x", seconds(1));
    EXPECT_TRUE(play().ends_with("421 4.4.2 Content comes too slowly\r\n"));
    EXPECT_LE(loop.elapsed(), seconds(63));
    EXPECT_TRUE(acceptance.messages.empty());
}

TEST_F(SmtpSessionTest, bears_content_that_is_slow_but_steady) {
    say(kEhlo);
    say(string(kEnvelope) + "DATA\r\n");
    for (int i = 0; i < 600; ++i)
        say(string(996, 'x') + "\r\n" + string(198, 'y') + "\r\n", seconds(1));
    say(".\r\n");
    play();
    EXPECT_EQ(acceptance.messages.size(), 1U);
}

TEST_F(SmtpSessionTest, ends_content_that_never_ends) {
    times.content = seconds(400);
    say(kEhlo);
    say(string(kEnvelope) + "DATA\r\n");
    for (int i = 0; i < 600; ++i)
        say(string(998, 'x') + "\r\n" + string(998, 'y') + "\r\n", seconds(1));
    EXPECT_TRUE(play().ends_with("421 4.4.2 Content comes too slowly\r\n"));
    EXPECT_LE(loop.elapsed(), seconds(403));
}

TEST_F(SmtpSessionTest, a_client_that_vanishes_leaves_nothing) {
    say(kEhlo);
    say(string(kEnvelope) + "DATA\r\n");
    say("x: y\r\n\r\nhalf");
    play();
    EXPECT_TRUE(acceptance.messages.empty());
}

TEST_F(SmtpSessionTest, a_client_that_cannot_be_written_to_is_left) {
    stream.break_writes();
    say(kEhlo);
    say(kEnvelope);
    play();
    EXPECT_EQ(stream.heard(), "");
    EXPECT_GT(stream.unread(), 0U);
}

TEST_F(SmtpSessionTest, a_client_that_stops_reading_inside_a_group_is_left) {
    say(kEhlo);
    say("NOOP\r\nRSET\r\n");
    stream.break_writes_after(2);
    serve(stream);
    EXPECT_TRUE(stream.heard().ends_with("250 HELP\r\n"));
}

string eight_bit_lines(std::size_t octets) {
    string text =
        "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n";
    while (text.size() < octets)
        text +=
            "Gr\xc3\xbc\xc3\x9f"
            "e an alle, die es lesen\r\n";
    return text;
}

// Whatever needs the memory: content that arrives, its conversion, what is made for the commit.
// The message gets 421 or 452, no more, and the process lives.
TEST_F(SmtpSessionTest, memory_that_runs_out_ends_one_message) {
    std::size_t refused_later = 0;
    bool failed = true;
    for (std::size_t which = 1; failed; ++which) {
        ASSERT_LT(which, 200U);
        core::test::ScriptedStream client(loop.reactor());
        client.say(string(kEhlo) + string(kEnvelope) + "DATA\r\n");
        client.say(eight_bit_lines(100'000) + ".\r\n");
        client.say(string(kEnvelope) + "DATA\r\n", milliseconds{1});
        client.say("Subject: small\r\n\r\nhello\r\n.\r\nQUIT\r\n", milliseconds{1});
        {
            const relay_test::ScarceMemory memory(which);
            serve(client);
            failed = memory.failed();
        }
        const string& heard = client.heard();
        const bool closed = heard.contains("\r\n421 4.3.1 ");
        const bool refused = heard.contains("\r\n452 4.3.1 No room for more mail now\r\n");
        EXPECT_EQ(failed, closed || refused) << which << ": " << heard;
        EXPECT_EQ(heard.contains("\r\n221 "), !closed) << heard;  // what comes after it is served
        if (refused) ++refused_later;
    }
    EXPECT_GT(refused_later, 2U);  // while it was converted
}

// A vector would be copied again and again, and take three times as much meanwhile.
TEST_F(SmtpSessionTest, many_lines_with_dots_need_no_large_piece_of_memory) {
    string lines;
    while (lines.size() < 3'000'000)
        lines += "..\r\n";
    stream.read_at_most(16 * 1024);
    stream.say(string(kEhlo) + string(kEnvelope) + "DATA\r\n");
    stream.say("Subject: x\r\n\r\n" + lines + ".\r\nQUIT\r\n");
    {
        const relay_test::ScarceMemory memory;
        serve(stream);
        EXPECT_LE(memory.largest(), Content::kLargestChunk);
    }
    ASSERT_EQ(acceptance.messages.size(), 1U);
    const Content& content = acceptance.messages[0]->content;
    EXPECT_EQ(content.leading_dots(), lines.size() / 4);
    EXPECT_LE(content.memory(), content.size() + 4U * content.leading_dots() + (1U << 17));
}

// L11: whatever is sent, a step of the loop handles a bounded piece of it. Steps are counted, not
// timed: each wait below is a turn of the loop of its own.
class SmtpSteps : public SmtpSessionTest {
  public:
    std::uint64_t turns() { return loop.reactor().stats().turns; }
    // All of it is there already, and is read as from a socket.
    std::size_t say_at_once(const string& octets) {
        stream.read_at_most(16 * 1024);
        say(octets);
        return octets.size();
    }
};

TEST_F(SmtpSteps, newlines_without_end_come_in_pieces) {
    say(kEhlo);
    say(kEnvelope);
    say("DATA\r\n");
    string newlines;
    while (newlines.size() < (50U << 20) - 4096)
        newlines += "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    const std::size_t octets = say_at_once(newlines);
    say(".\r\nQUIT\r\n");
    EXPECT_TRUE(play().contains("250 2.0.0 Ok"));
    EXPECT_EQ(acceptance.messages.size(), 1U);
    EXPECT_GE(turns(), octets / SmtpSession::kInputPerTurn);
}

TEST_F(SmtpSteps, chunks_of_one_octet_come_in_pieces) {
    say(kEhlo);
    say(kEnvelope);
    string chunks;
    for (int i = 0; i < 300'000; ++i) {
        chunks += "BDAT 1\r\n";
        chunks += i % 100 == 98 ? '\r' : i % 100 == 99 ? '\n' : 'x';
    }
    const std::size_t octets = say_at_once(chunks);
    say("BDAT 2 LAST\r\n\r\nQUIT\r\n");
    EXPECT_TRUE(play().contains("250 2.0.0 Ok: queued"));
    ASSERT_EQ(acceptance.messages.size(), 1U);
    EXPECT_GE(acceptance.messages[0]->size(), 300'002U);
    EXPECT_GE(turns(), octets / SmtpSession::kInputPerTurn);
}

class SmtpBoundaries : public SmtpSteps {
  public:
    // Answers how many octets were sent.
    std::size_t send(int parts, const string& text) {
        say(kEhlo);
        say(kEnvelope);
        say("DATA\r\n");
        string content = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
        for (int i = 0; i < parts; ++i)
            content += "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text + "\r\n";
        const std::size_t octets = say_at_once(content + "--b--\r\n");
        say(".\r\nQUIT\r\n");
        play();
        return octets;
    }
};

TEST_F(SmtpBoundaries, many_are_converted_in_pieces) {
    const std::size_t octets = send(9'000, "\xc3\xa9" + string(900, 'x'));
    ASSERT_EQ(acceptance.messages.size(), 1U);
    EXPECT_FALSE(acceptance.messages[0]->eight_bit);
    // Read, looked at, written.
    EXPECT_GE(turns(), octets / SmtpSession::kInputPerTurn + 2 * (octets / kOctetsPerTurn));
}

TEST_F(SmtpBoundaries, a_hundred_thousand_are_left_as_they_are) {
    const std::size_t octets = send(100'000, "\xc3\xa9");
    ASSERT_EQ(acceptance.messages.size(), 1U);
    EXPECT_TRUE(acceptance.messages[0]->eight_bit);
    EXPECT_GE(turns(), octets / SmtpSession::kInputPerTurn);
}

// Their recipients are made, and those of the envelope freed, some at a time.
TEST_F(SmtpSteps, a_message_for_many_is_made_in_pieces) {
    constexpr std::size_t kMany = 200'000;
    dialogue.max_recipients = kMany;
    say(kEhlo);
    string recipients = "MAIL FROM:<a@example.com>\r\n";
    for (std::size_t i = 0; i < kMany; ++i)
        recipients += "RCPT TO:<recipient" + std::to_string(i) + "@example.com>\r\n";
    const std::size_t octets = say_at_once(recipients);
    say("DATA\r\n");
    say("Subject: x\r\n\r\n.\r\n");
    say("QUIT\r\n");
    play();
    ASSERT_EQ(acceptance.messages.size(), 1U);
    EXPECT_EQ(acceptance.messages[0]->recipients.size(), kMany);
    // 4 pieces of 16 KiB are a turn, and so are the recipients made and freed.
    const std::size_t steps = 2 * kMany / SmtpSession::kRecipientsPerTurn;
    EXPECT_GE(turns(), octets / SmtpSession::kInputPerTurn + steps);
    EXPECT_LE(turns(), 4 * (octets / SmtpSession::kInputPerTurn + steps));
}

}  // namespace
}  // namespace relay
