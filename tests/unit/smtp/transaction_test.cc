// What one transaction must not leave to the next, however it ended.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/smtp/dialogue_driver.h"

namespace relay_test {
namespace {

const std::string kToOne = "MAIL FROM:<a@from.example>\r\nRCPT TO:<one@to.example>\r\n";
const std::string kToTwo = "MAIL FROM:<b@from.example>\r\nRCPT TO:<two@to.example>\r\n";
const std::string kContent = "DATA\r\nSubject: x\r\n\r\nbody\r\n.\r\n";

// Private mail would go to strangers.
TEST(Transaction, recipients_end_with_it) {
    for (const std::string& end :
         {std::string("RSET\r\n"), std::string("EHLO again.example\r\n"), kContent}) {
        DialogueDriver driver;
        driver.dialogue.greet();
        driver.say("EHLO me.example\r\n" + kToOne + end + kToTwo + kContent);
        ASSERT_FALSE(driver.messages.empty()) << end;
        EXPECT_EQ(driver.messages.back().sender, "b@from.example") << end;
        EXPECT_EQ(driver.messages.back().recipients, std::vector<std::string>{"two@to.example"})
            << end;
    }
}

TEST(Transaction, a_refusal_of_its_message_ends_it_too) {
    DialogueDriver driver;
    driver.dialogue.greet();
    driver.refuse_message = "452 4.3.1 No room";
    driver.say("EHLO me.example\r\n" + kToOne + kContent);
    EXPECT_TRUE(driver.messages.empty());
    driver.refuse_message.clear();
    driver.say(kToTwo + kContent);
    ASSERT_EQ(driver.messages.size(), 1U);
    EXPECT_EQ(driver.messages[0].recipients, std::vector<std::string>{"two@to.example"});
}

// A hundred thousand recipients are freed in steps: the octet that ends their transaction is in the
// input of one step of the loop.
TEST(Transaction, its_many_recipients_are_freed_in_steps) {
    constexpr std::size_t kMany = 100'000;
    DialogueDriver driver({.hostname = "mx.example", .max_recipients = kMany});
    driver.say("EHLO me.example\r\nMAIL FROM:<a@from.example>\r\n");
    for (std::size_t i = 0; i < kMany; ++i)
        driver.say("RCPT TO:<recipient" + std::to_string(i) + "@to.example> NOTIFY=NEVER\r\n");
    ASSERT_EQ(driver.dialogue.envelope().recipients.size(), kMany);
    driver.say("RSET\r\n");
    EXPECT_TRUE(driver.dialogue.envelope().recipients.empty());
    EXPECT_TRUE(driver.dialogue.envelope().recipients_dsn.empty());
    std::size_t steps = 1;
    while (driver.dialogue.free_some(1000))
        ++steps;
    EXPECT_EQ(steps, kMany / 1000);
    EXPECT_FALSE(driver.dialogue.free_some(1000));
    driver.say(kToTwo + kContent);
    ASSERT_EQ(driver.messages.size(), 1U);
    EXPECT_EQ(driver.messages[0].recipients, std::vector<std::string>{"two@to.example"});
}

}  // namespace
}  // namespace relay_test
