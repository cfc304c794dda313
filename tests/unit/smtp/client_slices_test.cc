// A ClientDialogue with content that is larger than a slice, and what it says to servers that take
// no EHLO or break STARTTLS.
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/smtp/conversation.h"

namespace relay {
namespace {

std::string compose_once(ClientDialogue& dialogue, std::size_t& parts_seen) {
    std::vector<iovec> parts;
    dialogue.compose(parts);
    parts_seen = std::max(parts_seen, parts.size());
    std::string text;
    for (const iovec& part : parts)
        text.append(static_cast<const char*>(part.iov_base), part.iov_len);
    return text;
}

// H5: what a send holds is a slice; the next envelope follows the final dot, and nothing comes
// between the slices.
TEST(ClientDialogue, large_content_leaves_in_slices_and_the_next_envelope_after_the_last) {
    const std::string body = "Subject: x\r\n\r\n" + std::string(998, 'x') + "\r\n";
    std::string large;
    while (large.size() < 1'000'000)
        large += body;
    Conversation talk;
    talk.greet();
    Letter first({"one@to.example"}, large);
    Letter second({"two@to.example"});
    talk.dialogue.begin(first.transaction);
    talk.written();
    talk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    talk.dialogue.begin(second.transaction);
    std::string sent;
    std::size_t parts = 0;
    std::size_t slices = 0;
    EXPECT_EQ(talk.dialogue.uploading(), &first.transaction);
    for (std::string slice; !(slice = compose_once(talk.dialogue, parts)).empty(); ++slices) {
        EXPECT_LE(slice.size(), ContentCursor::kMaxOctets + 500);
        sent += slice;
    }
    EXPECT_GE(slices, 4U);
    EXPECT_LE(parts, ContentCursor::kMaxParts + 1);
    EXPECT_EQ(talk.dialogue.uploading(), nullptr);
    EXPECT_TRUE(sent == large +
                            ".\r\nMAIL FROM:<a@from.example>\r\nRCPT TO:<two@to.example>\r\n"
                            "DATA\r\n");
    talk.hears("250 taken\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    EXPECT_EQ(first.result().outcome, Outcome::delivered);
    EXPECT_TRUE(talk.dialogue.followed_dot());
    talk.lose();
}

// A refusal that comes while content still leaves is the answer to that content.
TEST(ClientDialogue, a_refusal_in_the_middle_of_content_counts) {
    Conversation talk(PipelineMode::next, false);
    talk.greet();
    Letter letter({"one@to.example"}, std::string(600'000, 'x'));
    talk.dialogue.begin(letter.transaction);
    talk.written();
    talk.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    std::size_t parts = 0;
    compose_once(talk.dialogue, parts);
    EXPECT_EQ(talk.dialogue.uploading(), &letter.transaction);
    talk.hears("552 5.3.4 too large\r\n");
    EXPECT_EQ(letter.result().outcome, Outcome::bounced);
    talk.lose(false);
}

TEST(ClientDialogue, says_helo_at_once_to_a_host_that_takes_no_ehlo) {
    Conversation talk;
    talk.dialogue.say_helo();
    talk.says("");
    talk.hears("220 mx\r\n");
    talk.says("HELO me.example\r\n");
    talk.hears("250 mx\r\n");
    EXPECT_TRUE(talk.dialogue.can_begin());
}

// CVE-2021-38371: only what reads like a reply was put there by somebody.
TEST(ClientDialogue, tells_replies_after_starttls_from_garbage) {
    for (const bool reply : {true, false}) {
        Conversation talk;
        talk.dialogue.want_tls(TlsWish::if_offered);
        talk.says("");
        talk.hears("220 mx\r\n");
        talk.says("EHLO me.example\r\n");
        talk.hears("250-mx\r\n250 STARTTLS\r\n");
        talk.says("STARTTLS\r\n");
        talk.hears(std::string("220 go\r\n") + (reply ? "250 fake\r\n" : "<html>\r\n"));
        EXPECT_EQ(talk.dialogue.tls_injected(), reply);
        EXPECT_EQ(talk.dialogue.ending().command, "STARTTLS");
    }
}

}  // namespace
}  // namespace relay
