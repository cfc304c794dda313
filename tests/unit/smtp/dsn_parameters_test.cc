#include "relay/smtp/dsn_parameters.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/unit/smtp/dialogue_driver.h"

namespace relay {
namespace {

using relay_test::DialogueDriver;

TEST(Xtext, is_decoded_and_encoded) {
    EXPECT_EQ(decode_xtext("Bob@Big-Bucks.com"), "Bob@Big-Bucks.com");
    EXPECT_EQ(decode_xtext("a+2Bb+3Dc+20d"), "a+b=c d");
    EXPECT_EQ(decode_xtext(""), "");
    for (const char* wrong : {"a=b", "a b", "a+", "a+2", "a+2G", "a\tb", "a\x7f", "\xc3\xa9"}) {
        EXPECT_FALSE(decode_xtext(wrong)) << wrong;
    }
    EXPECT_EQ(decode_xtext("\xc3\xa9", true), "\xc3\xa9");
    const std::string all = "a+b=c d\x01\xff";
    EXPECT_EQ(encode_xtext(all), "a+2Bb+3Dc+20d+01+FF");
    EXPECT_EQ(decode_xtext(encode_xtext(all)), all);
}

TEST(Notify, says_what_it_holds) {
    EXPECT_EQ(Notify(Notify::kDelay | Notify::kSuccess).text(), "SUCCESS,DELAY");
    EXPECT_EQ(Notify(Notify::kNever).text(), "NEVER");
    EXPECT_TRUE(Notify{}.on_failure() && Notify{}.on_delay() && !Notify{}.on_success());
    EXPECT_FALSE(Notify(Notify::kNever).on_failure() || Notify(Notify::kNever).on_delay());
    EXPECT_FALSE(Notify(Notify::kSuccess).on_failure());
}

// The reply to one command in a session of its own: each session has a budget of errors.
std::string mail(const std::string& parameters) {
    DialogueDriver driver;
    driver.say("EHLO client.example\r\n");
    return driver.say("MAIL FROM:<a@example.com>" + parameters + "\r\n").substr(0, 9);
}

std::string rcpt(const std::string& parameters) {
    DialogueDriver driver;
    driver.say("EHLO client.example\r\nMAIL FROM:<a@example.com>\r\n");
    return driver.say("RCPT TO:<b@example.com>" + parameters + "\r\n").substr(0, 9);
}

TEST(DsnSession, is_offered_and_kept) {
    DialogueDriver driver;
    EXPECT_NE(driver.say("EHLO client.example\r\n").find("250-DSN\r\n"), std::string::npos);
    driver.say(
        "MAIL FROM:<Alice@Pure-Heart.ORG> ret=hdrs envid=QQ314159\r\n"
        "RCPT TO:<Bob@Big-Bucks.COM> NOTIFY=success orcpt=rfc822;Bob@Big-Bucks.COM\r\n"
        "RCPT TO:<Carol@Ivory.EDU>\r\n"
        "RCPT TO:<George@Tax-ME.GOV> NOTIFY=FAILURE,Delay\r\n"
        "RCPT TO:<Eric@Bombs.AF.MIL> NOTIFY=NEVER\r\nDATA\r\nA: b\r\n\r\n.\r\n");
    ASSERT_EQ(driver.messages.size(), 1U);
    const auto& taken = driver.messages[0];
    EXPECT_EQ(taken.dsn.content, ReturnContent::headers);
    EXPECT_EQ(taken.dsn.envelope_id, "QQ314159");
    ASSERT_EQ(taken.recipients_dsn.size(), 3U);
    EXPECT_EQ(taken.recipients_dsn[0],
              (EnvelopeDsn{0, Notify(Notify::kSuccess), "rfc822;Bob@Big-Bucks.COM"}));
    EXPECT_EQ(taken.recipients_dsn[1],
              (EnvelopeDsn{2, Notify(Notify::kFailure | Notify::kDelay), ""}));
    EXPECT_EQ(taken.recipients_dsn[2], (EnvelopeDsn{3, Notify(Notify::kNever), ""}));
    // The next transaction begins with nothing of it.
    driver.say("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n\r\n.\r\n");
    EXPECT_EQ(driver.messages[1].dsn, DsnEnvelope{});
    EXPECT_TRUE(driver.messages[1].recipients_dsn.empty());
}

TEST(DsnSession, wrong_parameters_of_mail_get501) {
    for (const char* fine : {" RET=FULL", " RET=hdrs", " ENVID=a+2Bb", " ENVID=+20x RET=FULL"}) {
        EXPECT_EQ(mail(fine), "250 2.1.0") << fine;
    }
    EXPECT_EQ(mail(" ENVID=" + std::string(100, 'x')), "250 2.1.0");
    EXPECT_EQ(mail(" ENVID=" + std::string(101, 'x')), "501 5.5.4");
    for (const char* wrong :
         {" RET", " RET=", " RET=ALL", " RET=FULL RET=FULL", " RET=FULL RET=HDRS", " ENVID",
          " ENVID=", " ENVID=a=b", " ENVID=a+", " ENVID=+0D+0A", " ENVID=+00", " ENVID=+7F",
          " ENVID=+C3+A9", " ENVID=a ENVID=a", " ENVID=\xc3\xa9"}) {
        EXPECT_EQ(mail(wrong), "501 5.5.4") << wrong;
    }
    EXPECT_EQ(mail(" NOTIFY=NEVER"), "555 5.5.4");
}

TEST(DsnSession, wrong_parameters_of_rcpt_get501) {
    for (const char* fine :
         {" NOTIFY=NEVER", " notify=delay,failure,success", " ORCPT=rfc822;a+2Bb@example.com",
          " ORCPT=x400;/c+3Dus/", " ORCPT=utf-8;\\x{e9}@example.com", " NOTIFY=DELAY ORCPT=a;b"}) {
        EXPECT_EQ(rcpt(fine), "250 2.1.5") << fine;
    }
    EXPECT_EQ(rcpt(" ORCPT=rfc822;" + std::string(493, 'x')), "250 2.1.5");
    EXPECT_EQ(rcpt(" ORCPT=rfc822;" + std::string(494, 'x')), "501 5.5.4");
    for (const char* wrong : {" NOTIFY",
                              " NOTIFY=",
                              " NOTIFY=NEVER,DELAY",
                              " NOTIFY=DELAY,NEVER",
                              " NOTIFY=SOON",
                              " NOTIFY=DELAY,DELAY",
                              " NOTIFY=DELAY,",
                              " NOTIFY=,DELAY",
                              " NOTIFY=NEVER NOTIFY=NEVER",
                              " ORCPT=",
                              " ORCPT=rfc822",
                              " ORCPT=rfc822;",
                              " ORCPT=;a",
                              " ORCPT=r f;a",
                              " ORCPT=rfc822;a=b",
                              " ORCPT=rfc822;+0D+0ARCPT",
                              " ORCPT=rfc822;+00",
                              " ORCPT=a;b+0",
                              " ORCPT=rfc822;a ORCPT=rfc822;a",
                              " ORCPT=utf-8;\xc3\xa9@example.com",
                              " ORCPT=rf\xc3\xa9;a"}) {
        EXPECT_EQ(rcpt(wrong), "501 5.5.4") << wrong;
    }
    EXPECT_EQ(rcpt(" RET=FULL"), "555 5.5.4");
}

TEST(DsnSession, needs_ehlo_and_utf8_needs_smtputf8) {
    DialogueDriver driver;
    driver.say("HELO client.example\r\nMAIL FROM:<a@example.com>\r\n");
    EXPECT_EQ(driver.say("RCPT TO:<b@example.com> NOTIFY=NEVER\r\n").substr(0, 9), "555 5.5.4");
    driver.say("RSET\r\nEHLO client.example\r\nMAIL FROM:<a@example.com> SMTPUTF8\r\n");
    EXPECT_EQ(
        driver.say("RCPT TO:<b@example.com> ORCPT=utf-8;\xc3\xa9@example.com\r\n").substr(0, 9),
        "250 2.1.5");
    EXPECT_TRUE(driver.dialogue.needs_smtputf8());
}

}  // namespace
}  // namespace relay
