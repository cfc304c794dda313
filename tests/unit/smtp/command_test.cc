#include "relay/smtp/command.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(Command, knows_verbs_in_any_case) {
    EXPECT_EQ(parse_command("MAIL FROM:<a@b.c>").verb, Verb::mail);
    EXPECT_EQ(parse_command("mail FROM:<a@b.c>").argument, "FROM:<a@b.c>");
    EXPECT_EQ(parse_command("rCpT \t TO:<a@b.c> \t").argument, "TO:<a@b.c>");
    EXPECT_EQ(parse_command("StartTls").verb, Verb::starttls);
    EXPECT_EQ(parse_command("QUIT").argument, "");
    for (const std::string_view line : {"", " ", "MAILFROM:<a@b.c>", "QUITX", "XYZZY", " QUIT"}) {
        EXPECT_EQ(parse_command(line).verb, Verb::unknown) << line;
    }
}

TEST(MailCommand, reads_its_parameters) {
    const auto mail = parse_mail("FROM:<a@example.com> SIZE=1000 BODY=8BITMIME SMTPUTF8", true);
    ASSERT_TRUE(mail);
    EXPECT_EQ(mail->path.address.mailbox, "a@example.com");
    EXPECT_EQ(mail->parameters.size, 1000U);
    EXPECT_TRUE(mail->parameters.eight_bit);
    EXPECT_TRUE(mail->parameters.utf8);
    const auto null = parse_mail("from:<>  size=0  body=7bit ", true);
    ASSERT_TRUE(null);
    EXPECT_TRUE(null->path.null);
    EXPECT_FALSE(null->parameters.eight_bit);
    EXPECT_TRUE(parse_mail("FROM: <a@example.com>", true));
    EXPECT_EQ(parse_mail("FROM:<a@example.com> SIZE=18446744073709551615", true)->parameters.size,
              18446744073709551615U);
}

// RFC 2852 section 4.
TEST(MailCommand, reads_by_when_it_is_to_be_delivered) {
    const auto by = [](std::string_view value) {
        const std::string argument = "FROM:<a@example.com> BY=" + std::string(value);
        const auto mail = parse_mail(argument, true);
        if (!mail) return std::string(mail.error().substr(0, 9));
        const ByTime& read = *mail->parameters.by;
        return std::to_string(read.seconds) + (read.returns ? "R" : "N") + (read.traces ? "T" : "");
    };
    EXPECT_EQ(by("120;R"), "120R");
    EXPECT_EQ(by("+0120;rt"), "120RT");
    EXPECT_EQ(by("999999999;NT"), "999999999NT");
    EXPECT_EQ(by("-5;N"), "-5N");
    EXPECT_EQ(by("0;N"), "0N");
    for (const char* wrong : {"", "120", "120;", ";R", "120;X", "120;RX", "120;RTT", "1 ;R", "-;N",
                              "1234567890;R", "0;R", "-1;R", "+-1;N", "120;R BY=120;R"}) {
        EXPECT_EQ(by(wrong), "501 5.5.4") << wrong;
    }
}

TEST(MailCommand, says_what_is_wrong) {
    const auto code = [](std::string_view argument, bool extended = true) {
        const auto mail = parse_mail(argument, extended);
        return mail ? std::string("ok") : std::string(mail.error().substr(0, 9));
    };
    EXPECT_EQ(code("FROM:a@example.com"), "501 5.1.7");
    EXPECT_EQ(code("TO:<a@example.com>"), "501 5.1.7");
    EXPECT_EQ(code(""), "501 5.1.7");
    EXPECT_EQ(code("FROM:<a@example.com>SIZE=1"), "501 5.1.7");
    EXPECT_EQ(code("FROM:<" + std::string(65, 'a') + "@example.com>"), "501 5.1.7");
    EXPECT_EQ(code("FROM:<a@localhost>"), "554 5.1.8");
    EXPECT_EQ(code("FROM:<a>"), "554 5.1.8");
    EXPECT_EQ(code("FROM:<a@example.com> SIZE"), "501 5.5.4");
    EXPECT_EQ(code("FROM:<a@example.com> SIZE=-1"), "501 5.5.4");
    EXPECT_EQ(code("FROM:<a@example.com> SIZE=18446744073709551616"), "501 5.5.4");
    EXPECT_EQ(code("FROM:<a@example.com> SIZE=000000000000000000001"), "501 5.5.4");
    EXPECT_EQ(code("FROM:<a@example.com> BODY=BINARYMIME"), "501 5.5.4");
    EXPECT_EQ(code("FROM:<a@example.com> SMTPUTF8=yes"), "501 5.5.4");
    EXPECT_EQ(code("FROM:<a@example.com> RET=HDRS"), "ok");
    EXPECT_EQ(code("FROM:<a@example.com> AUTH=<>"), "555 5.5.4");
    for (const char* later : {"HOLDFOR=60", "HOLDUNTIL=2026-11-23T10:00:00Z", "MT-PRIORITY=3"})
        EXPECT_EQ(code("FROM:<a@example.com> " + std::string(later)), "555 5.5.4") << later;
    EXPECT_EQ(code("FROM:<a@example.com> SIZE=1", false), "555 5.5.4");
    EXPECT_EQ(code("FROM:<\xc3\xa9@example.com>"), "550 5.6.7");
    EXPECT_EQ(code("FROM:<\xc3\xa9@example.com> SMTPUTF8"), "ok");
}

TEST(RcptCommand, says_what_is_wrong) {
    const auto code = [](std::string_view argument) {
        const auto rcpt = parse_rcpt(argument, true);
        return rcpt ? std::string("ok") : std::string(rcpt.error().substr(0, 9));
    };
    EXPECT_EQ(code("TO:<a@example.com>"), "ok");
    EXPECT_EQ(code("TO:<@r.example:a@example.com>"), "ok");
    EXPECT_EQ(code("TO:<>"), "501 5.1.3");
    EXPECT_EQ(code("TO:a@example.com"), "501 5.1.3");
    EXPECT_EQ(code("FROM:<a@example.com>"), "501 5.1.3");
    EXPECT_EQ(code("TO:<Postmaster>"), "554 5.1.2");
    EXPECT_EQ(code("TO:<a@host>"), "554 5.1.2");
    EXPECT_EQ(code("TO:<a@example.com> NOTIFY=NEVER"), "ok");
    EXPECT_EQ(code("TO:<a@example.com> NOTIFY=NEVER,DELAY"), "501 5.5.4");
    EXPECT_EQ(code("TO:<a@example.com> X=Y"), "555 5.5.4");
    EXPECT_EQ(parse_rcpt("TO:<a@example.com> NOTIFY=NEVER", false).error().substr(0, 9),
              "555 5.5.4");
}

TEST(BdatCommand, is_size_and_perhaps_last) {
    EXPECT_EQ(parse_bdat("10")->size, 10U);
    EXPECT_FALSE(parse_bdat("10")->last);
    EXPECT_TRUE(parse_bdat("0 last")->last);
    EXPECT_EQ(parse_bdat("18446744073709551615 LAST")->size, 18446744073709551615U);
    for (const std::string_view argument :
         {"", "LAST", "-1", "10 NOW", "10 LAST LAST", "18446744073709551616", "0x10", "1 0",
          "99999999999999999999999"}) {
        EXPECT_FALSE(parse_bdat(argument)) << argument;
    }
}

}  // namespace
}  // namespace relay
