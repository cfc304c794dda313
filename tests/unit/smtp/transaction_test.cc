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

}  // namespace
}  // namespace relay_test
