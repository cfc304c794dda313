#include "relay/dsn/report.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

constexpr core::WallTime kArrival{core::Duration{1'795'383'000'000'000'000}};
constexpr core::WallTime kNow{core::Duration{1'795'386'600'000'000'000}};

DsnRecipient failed() {
    DsnRecipient recipient;
    recipient.address = "reader@example.com";
    recipient.reply.code = 550;
    recipient.reply.enhanced = {5, 1, 1};
    recipient.reply.text = "<reader@example.com>: User unknown\nsee https://example.com/";
    recipient.remote_mta = "mx1.example.com";
    recipient.last_attempt = kNow;
    return recipient;
}

const std::string kOriginal =
    "Received: from a by b\r\nMessage-ID: <1@news.example>\r\nSubject: hello\r\n\r\nbody\r\n";

DsnReport report_of(std::vector<DsnRecipient> recipients) {
    DsnReport report;
    report.reporting_mta = "mta1.example.org";
    report.id = "01KD0000000000000000000001";
    report.to = "bounces@news.example";
    report.now = kNow;
    report.original_id = "01KD0000000000000000000000";
    report.arrival = kArrival;
    report.whole = true;
    report.original = kOriginal;
    report.recipients = std::move(recipients);
    return report;
}

// What every notification must be, whatever came from outside: lines that SMTP takes, no control
// characters, and 7-bit unless it is the form for SMTPUTF8.
void expect_sound(const DsnText& text) {
    std::size_t line = 0;
    for (std::size_t i = 0; i < text.content.size(); ++i) {
        const auto octet = static_cast<unsigned char>(text.content[i]);
        if (octet == '\n') {
            ASSERT_TRUE(i > 0 && text.content[i - 1] == '\r') << i;
            EXPECT_LE(line, 999U) << i;
            line = 0;
            continue;
        }
        ++line;
        EXPECT_TRUE(octet >= 32 || octet == '\t' || octet == '\r') << int{octet} << " at " << i;
        if (octet == '\r') EXPECT_EQ(text.content[i + 1], '\n');
        if (!text.utf8) EXPECT_LT(octet, 127) << i;
    }
    EXPECT_TRUE(text.content.ends_with("--\r\n"));
}

TEST(DsnReport, a_failure_is_told_to_a_person_and_a_program) {
    auto report = report_of({failed()});
    report.asked.envelope_id = "QQ+2B314159";
    report.recipients[0].original = "rfc822;Reader+2Bold@Example.COM";
    const DsnText text = write_dsn(report);
    expect_sound(text);
    EXPECT_EQ(text.content,
              "From: Mail Delivery System <mailer-daemon@mta1.example.org>\r\n"
              "To: <bounces@news.example>\r\n"
              "Subject: Undelivered mail returned to sender\r\n"
              "Date: Sun, 22 Nov 2026 22:30:00 +0000\r\n"
              "Message-ID: <01KD0000000000000000000001@mta1.example.org>\r\n"
              "In-Reply-To: <1@news.example>\r\n"
              "References: <1@news.example>\r\n"
              "Auto-Submitted: auto-replied\r\n"
              "MIME-Version: 1.0\r\n"
              "Content-Type: multipart/report; report-type=delivery-status;\r\n"
              " boundary=\"=_01KD0000000000000000000001\"\r\n"
              "\r\nThis is a delivery status notification in MIME format.\r\n"
              "\r\n--=_01KD0000000000000000000001\r\n"
              "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
              "This is the mail system at mta1.example.org.\r\n\r\n"
              "Your message could not be delivered to the recipients below. It will not be\r\n"
              "tried again.\r\n\r\n"
              "<reader@example.com>\r\n"
              "    mx1.example.com said: 550 5.1.1 <reader@example.com>: User unknown see\r\n"
              "    https://example.com/\r\n"
              "\r\n--=_01KD0000000000000000000001\r\n"
              "Content-Type: message/delivery-status\r\n\r\n"
              "Original-Envelope-Id: QQ+314159\r\n"
              "Reporting-MTA: dns; mta1.example.org\r\n"
              "X-Posthaste-Id: 01KD0000000000000000000000\r\n"
              "Arrival-Date: Sun, 22 Nov 2026 21:30:00 +0000\r\n"
              "\r\n"
              "Original-Recipient: rfc822; Reader+old@Example.COM\r\n"
              "Final-Recipient: rfc822; reader@example.com\r\n"
              "Action: failed\r\n"
              "Status: 5.1.1\r\n"
              "Remote-MTA: dns; mx1.example.com\r\n"
              "Diagnostic-Code: smtp; 550 5.1.1 <reader@example.com>: User unknown see\r\n"
              " https://example.com/\r\n"
              "Last-Attempt-Date: Sun, 22 Nov 2026 22:30:00 +0000\r\n"
              "\r\n--=_01KD0000000000000000000001\r\n"
              "Content-Type: text/rfc822-headers\r\n\r\n"
              "Received: from a by b\r\nMessage-ID: <1@news.example>\r\nSubject: hello\r\n"
              "\r\n--=_01KD0000000000000000000001--\r\n");
}

TEST(DsnReport, the_status_has_the_class_of_the_action) {
    DsnRecipient recipient = failed();
    EXPECT_EQ(dsn_status(recipient), "5.1.1");
    recipient.reply.enhanced = {};
    EXPECT_EQ(dsn_status(recipient), "5.0.0");
    recipient.reply.enhanced = {4, 2, 2};
    EXPECT_EQ(dsn_status(recipient), "5.2.2");
    recipient.expired = true;
    EXPECT_EQ(dsn_status(recipient), "5.4.7");
    recipient = failed();
    recipient.action = DsnAction::delayed;
    EXPECT_EQ(dsn_status(recipient), "4.1.1");
    recipient.reply.enhanced = {};
    EXPECT_EQ(dsn_status(recipient), "4.0.0");
    recipient.action = DsnAction::relayed;
    EXPECT_EQ(dsn_status(recipient), "2.0.0");
}

TEST(DsnReport, one_for_all_recipients_with_a_blank_line_between) {
    std::vector<DsnRecipient> all;
    for (int i = 0; i < 3; ++i) {
        all.push_back(failed());
        all.back().address = "r" + std::to_string(i) + "@example.com";
    }
    const std::string text = write_dsn(report_of(all)).content;
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(text.contains("\r\n\r\nFinal-Recipient: rfc822; r" + std::to_string(i) +
                                  "@example.com\r\nAction: failed\r\n"));
    }
}

TEST(DsnReport, delays_and_relays_say_so) {
    DsnRecipient late = failed();
    late.action = DsnAction::delayed;
    late.reply.code = 451;
    late.retry_until = kNow;
    const std::string delayed = write_dsn(report_of({late})).content;
    EXPECT_TRUE(delayed.contains("\r\nAction: delayed\r\nStatus: 4.1.1\r\n"));
    EXPECT_TRUE(delayed.contains("\r\nWill-Retry-Until: Sun, 22 Nov 2026 22:30:00 +0000\r\n"));
    EXPECT_TRUE(delayed.contains("\r\nSubject: Mail is delayed\r\n"));
    DsnRecipient on = failed();
    on.action = DsnAction::relayed;
    on.reply.code = 250;
    on.reply.enhanced = {2, 0, 0};
    auto report = report_of({on});
    report.asked.content = ReturnContent::full;  // for failures only
    const std::string relayed = write_dsn(report).content;
    EXPECT_TRUE(relayed.contains("\r\nAction: relayed\r\nStatus: 2.0.0\r\n"));
    EXPECT_FALSE(relayed.contains("Will-Retry-Until"));
    EXPECT_TRUE(relayed.contains("text/rfc822-headers"));
    EXPECT_FALSE(relayed.contains("body"));
}

TEST(DsnReport, expiry_quotes_the_last_reply) {
    DsnRecipient old = failed();
    old.expired = true;
    old.reply.code = 451;
    old.reply.enhanced = {4, 2, 1};
    old.reply.text = "busy";
    const std::string text = write_dsn(report_of({old})).content;
    EXPECT_TRUE(text.contains("\r\nStatus: 5.4.7\r\n"));
    EXPECT_TRUE(text.contains("\r\nDiagnostic-Code: smtp; 451 4.2.1 busy\r\n"));
    old.remote_mta.clear();
    old.local = true;
    const std::string local = write_dsn(report_of({old})).content;
    EXPECT_TRUE(local.contains("\r\nDiagnostic-Code: x-posthaste; 451 4.2.1 busy\r\n"));
    EXPECT_FALSE(local.contains("Remote-MTA"));
}

TEST(DsnReport, the_whole_message_comes_back_when_asked_for_and_small) {
    auto report = report_of({failed()});
    report.asked.content = ReturnContent::full;
    std::string text = write_dsn(report).content;
    EXPECT_TRUE(text.contains("Content-Type: message/rfc822\r\n\r\n" + kOriginal));
    report.whole = false;
    EXPECT_TRUE(write_dsn(report).content.contains("text/rfc822-headers"));
    std::string big = kOriginal;
    while (big.size() <= kMostReturned)
        big += "more text of the body\r\n";
    report.whole = true;
    report.original = big;
    text = write_dsn(report).content;
    EXPECT_TRUE(text.contains("text/rfc822-headers"));
    EXPECT_FALSE(text.contains("more text"));
    // 8-bit text: its header section.
    std::string latin = kOriginal + "caf\xc3\xa9\r\n";
    report.original = latin;
    const DsnText eight = write_dsn(report);
    expect_sound(eight);
    EXPECT_TRUE(eight.content.contains("text/rfc822-headers"));
    report.original = {};
    EXPECT_FALSE(write_dsn(report).content.contains("rfc822-headers"));
}

TEST(DsnReport, long_header_sections_are_cut_between_fields) {
    std::string head;
    for (int i = 0; head.size() < 2 * kMostHeaders; ++i)
        head += "Field-" + std::to_string(i) + ": value\r\n continued\r\n";
    auto report = report_of({failed()});
    report.original = head;
    report.whole = false;
    const std::string text = write_dsn(report).content;
    const std::size_t begin = text.find("text/rfc822-headers\r\n\r\n") + 23;
    const std::string given = text.substr(begin, text.find("\r\n--=_", begin) - begin);
    EXPECT_LE(given.size(), kMostHeaders);
    EXPECT_GT(given.size(), kMostHeaders - 100);
    EXPECT_TRUE(given.ends_with(": value\r\n continued\r\n")) << given.substr(given.size() - 60);
}

TEST(DsnReport, addresses_in_utf8_have_the_form_of_rfc6533) {
    DsnRecipient recipient = failed();
    recipient.address = "\xc3\xa9@example.com";
    const std::string utf8_head = "Subject: caf\xc3\xa9\r\nMessage-ID: <1@x>\r\n\r\nbody\r\n";
    auto report = report_of({recipient});
    report.original = utf8_head;
    // To an ASCII address everything is 7-bit.
    const DsnText ascii = write_dsn(report);
    expect_sound(ascii);
    EXPECT_FALSE(ascii.utf8);
    EXPECT_TRUE(ascii.content.contains("\r\nFinal-Recipient: utf-8; \\x{E9}@example.com\r\n"));
    EXPECT_TRUE(
        ascii.content.contains("Content-Type: message/global-headers\r\n"
                               "Content-Transfer-Encoding: base64\r\n\r\nU3ViamVjd"));
    report.to = "\xc3\xb6@news.example";
    const DsnText utf8 = write_dsn(report);
    expect_sound(utf8);
    EXPECT_TRUE(utf8.utf8);
    EXPECT_TRUE(utf8.content.contains("report-type=global-delivery-status"));
    EXPECT_TRUE(utf8.content.contains("Content-Type: message/global-delivery-status\r\n"));
    EXPECT_TRUE(utf8.content.contains("\r\nFinal-Recipient: utf-8; \xc3\xa9@example.com\r\n"));
}

TEST(DsnReport, nothing_from_outside_breaks_it) {
    DsnRecipient evil = failed();
    evil.reply.text =
        "x\r\n\r\n--=_01KD0000000000000000000001--\r\nBcc: y\x01\xff\n\n" + std::string(5000, 'z');
    evil.remote_mta = "mx\r\nX: y";
    evil.original = "rfc822;a+0D+0AEvil:+20yes";
    auto report = report_of({evil});
    report.asked.envelope_id = "+0D+0AEvil:+20yes";
    const std::string original =
        "Message-ID: <a\r\n b>\r\nX: =_01KD0000000000000000000001 "
        "--=_01KD0000000000000000000001--\r\n"
        "\r\n";
    report.original = original;
    const DsnText text = write_dsn(report);
    expect_sound(text);
    EXPECT_FALSE(text.content.contains("\nEvil"));
    EXPECT_FALSE(text.content.contains("\nBcc"));
    EXPECT_FALSE(text.content.contains("\nX: y"));
    EXPECT_FALSE(text.content.contains("In-Reply-To"));  // that Message-ID is none
    EXPECT_TRUE(text.content.contains("boundary=\"=_01KD0000000000000000000001_\""));
    // The boundary stands at the beginning of a line four times, and no part has it.
    std::size_t boundaries = 0;
    for (std::size_t at = 0;
         (at = text.content.find("\n--=_01KD0000000000000000000001_", at)) != std::string::npos;
         ++at)
        ++boundaries;
    EXPECT_EQ(boundaries, 4U);
}

}  // namespace
}  // namespace relay
