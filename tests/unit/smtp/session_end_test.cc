// How a session ends that nobody asked to end, for the mail that is in it.
#include "relay/smtp/client_dialogue.h"
#include "tests/unit/smtp/conversation.h"

namespace relay {
namespace {

// RFC 5321 section 3.8 knows 421 only. A 5yz that answers no command says nothing about the message
// that waits for its next command to be written: to return it would lose mail for the whole site.
TEST(SessionEnd, a_5yz_that_answers_nothing_defers_what_is_in_the_session) {
    Conversation c;
    c.greet("250 mx\r\n");
    Letter letter({"r@to.example", "s@to.example"});
    c.dialogue.begin(letter.transaction);
    c.says("MAIL FROM:<a@from.example>\r\n");
    EXPECT_EQ(c.hears("250 ok\r\n554 5.3.2 going down\r\n"), ClientDialogue::Event::closing);
    for (std::size_t i : {0U, 1U}) {
        EXPECT_EQ(letter.result(i).outcome, Outcome::deferred);
        EXPECT_EQ(letter.result(i).scope, Scope::session);
        EXPECT_EQ(letter.result(i).reply.code, 554);
    }
}

}  // namespace
}  // namespace relay
