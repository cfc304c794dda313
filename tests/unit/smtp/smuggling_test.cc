// SMTP smuggling (CVE-2023-51764, VU#302671): what one server takes for the end of data and the
// next one does not. Only CRLF.CRLF ends data (RFC 5321 section 4.1.1.4), and nothing that could be
// taken for it elsewhere gets into a queue.
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/smtp/dialogue_driver.h"

namespace relay {
namespace {

using relay_test::DialogueDriver;

constexpr std::string_view kOpening =
    "EHLO client.example\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n";
constexpr std::string_view kSmuggled =
    "MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\n"
    "Subject: smuggled\r\n\r\nboo\r\n.\r\n";

std::vector<std::string> vectors() {
    return {"\n.\n",
            "\n.\r\n",
            "\r.\r",
            "\r\n.\n",
            "\r\n.\r",
            "\n.\r",
            "\r.\r\n",
            "\r\n.\r\r\n",
            std::string("\r\n\0.\r\n", 6),
            std::string("\r\n.\0\r\n", 6)};
}

// Feeds the session in pieces of one size; the replies must not depend on it.
std::string run(DialogueDriver& driver, std::string_view session, std::size_t piece) {
    std::string replies;
    for (std::size_t at = 0; at < session.size(); at += piece) {
        replies += driver.say(session.substr(at, piece));
    }
    return replies;
}

TEST(Smuggling, is_rejected_and_the_session_ends) {
    for (const std::string& vector : vectors()) {
        const std::string session = std::string(kOpening) + "DATA\r\nSubject: x\r\n\r\nbody" +
                                    vector + std::string(kSmuggled) + "QUIT\r\n";
        for (std::size_t piece = 1; piece <= session.size(); ++piece) {
            DialogueDriver driver;
            const std::string replies = run(driver, session, piece);
            EXPECT_TRUE(replies.ends_with("354 End with CRLF.CRLF\r\n"
                                          "550 5.5.2 Bare CR or LF in content\r\n") ||
                        replies.ends_with("354 End with CRLF.CRLF\r\n"
                                          "550 5.5.2 NUL in content\r\n"))
                << replies;
            EXPECT_TRUE(driver.dialogue.closed());
            EXPECT_TRUE(driver.messages.empty());
        }
    }
}

TEST(Smuggling, is_defused_when_normalizing) {
    for (const std::string& vector : vectors()) {
        const std::string session = std::string(kOpening) + "DATA\r\nSubject: x\r\n\r\nbody" +
                                    vector + std::string(kSmuggled) + "QUIT\r\n";
        for (std::size_t piece = 1; piece <= session.size(); ++piece) {
            DialogueDriver driver({.hostname = "mx.example",
                                   .max_message_size = 100000,
                                   .max_recipients = 5,
                                   .bare_endings = BareEndings::normalize});
            const std::string replies = run(driver, session, piece);
            EXPECT_TRUE(replies.ends_with("250 2.0.0 Ok: queued as 1\r\n221 2.0.0 Bye\r\n"));
            ASSERT_EQ(driver.messages.size(), 1U);
            const std::string& content = driver.messages[0].content;
            EXPECT_NE(content.find("smuggled"), std::string::npos);
            for (std::size_t i = 0; i < content.size(); ++i) {
                EXPECT_NE(content[i], '\0');
                if (content[i] == '\n') EXPECT_TRUE(i > 0 && content[i - 1] == '\r');
                if (content[i] == '\r') EXPECT_EQ(content.at(i + 1), '\n');
            }
        }
    }
}

TEST(Smuggling, dot_with_a_space_is_text) {
    DialogueDriver driver;
    driver.say(std::string(kOpening) + "DATA\r\na\r\n. \r\nMAIL FROM:<evil@example.com>\r\n.\r\n");
    ASSERT_EQ(driver.messages.size(), 1U);
    EXPECT_EQ(driver.messages[0].content, "a\r\n \r\nMAIL FROM:<evil@example.com>\r\n");
}

TEST(Smuggling, is_rejected_in_chunks_too) {
    for (const std::string& vector : vectors()) {
        const std::string content =
            "Subject: x\r\n\r\nbody" + vector + "MAIL FROM:<evil@e.com>\r\n";
        const std::string session = std::string(kOpening) + "BDAT " +
                                    std::to_string(content.size()) + " LAST\r\n" + content +
                                    "QUIT\r\n";
        for (std::size_t piece = 1; piece <= session.size(); piece += 3) {
            DialogueDriver driver;
            const std::string replies = run(driver, session, piece);
            EXPECT_NE(replies.find("550 5.5.2 "), std::string::npos);
            EXPECT_EQ(replies.find("221"), std::string::npos);
            EXPECT_TRUE(driver.messages.empty());
            EXPECT_TRUE(driver.dialogue.closed());
        }
    }
}

TEST(Smuggling, bare_line_ends_in_commands_end_the_session) {
    DialogueDriver driver;
    driver.say("EHLO client.example\r\n");
    EXPECT_EQ(driver.say("MAIL FROM:<a@example.com>\nRCPT TO:<b@example.com>\r\n"),
              "500 5.5.2 Lines end with CRLF\r\n");
    EXPECT_TRUE(driver.dialogue.closed());
    DialogueDriver other;
    other.say("EHLO client.example\r\n");
    EXPECT_EQ(other.say("MAIL FROM:<a@example.com>\rRCPT TO:<b@example.com>\r\n"),
              "500 5.5.2 CR or NUL inside a command\r\n");
    EXPECT_EQ(other.say("NOOP\r\n"), "250 2.0.0 Ok\r\n");
}

}  // namespace
}  // namespace relay
