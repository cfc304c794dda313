#include "relay/smtp/client_dialogue.h"
#include "tests/unit/smtp/conversation.h"

namespace relay {
namespace {

using Event = ClientDialogue::Event;

// Each reply has its own time limit, and the clock starts anew with each.
TEST(ClientDialogue, waits_for_each_reply_as_long_as_its_time_limit_says) {
    const TimeLimits limits{.banner = std::chrono::seconds{1},
                            .ehlo = std::chrono::seconds{2},
                            .starttls = std::chrono::seconds{3},
                            .auth = std::chrono::seconds{4},
                            .mail_from = std::chrono::seconds{5},
                            .rcpt_to = std::chrono::seconds{6},
                            .data = std::chrono::seconds{7},
                            .data_dot = std::chrono::seconds{8},
                            .rset = std::chrono::seconds{9},
                            .quit = std::chrono::seconds{11}};
    const Login login{"user", "secret", false};
    for (const bool chunking : {false, true}) {
        Conversation c(PipelineMode::message);
        c.dialogue.keep_to(limits);
        c.dialogue.want_tls(TlsWish::required);
        c.dialogue.log_in(login, "nonce");
        const auto waits = [&](int seconds) {
            EXPECT_EQ(c.dialogue.timeout(), std::chrono::seconds{seconds}) << c.dialogue.awaited();
        };
        waits(1);
        c.hears("220 mx\r\n");
        c.says("EHLO me.example\r\n");
        waits(2);
        c.hears("250-mx\r\n250 STARTTLS\r\n");
        c.says("STARTTLS\r\n");
        waits(3);
        // Conversation would wait for the reply to EHLO.
        std::string_view go = "220 go\r\n";
        ASSERT_EQ(c.dialogue.receive(go), Event::start_tls);
        c.dialogue.tls_started(true);
        c.says("EHLO me.example\r\n");
        waits(2);
        c.hears(chunking ? "250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 AUTH PLAIN\r\n"
                         : "250-mx\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n");
        c.written();
        waits(4);
        c.hears("235 ok\r\n");
        Letter one({"r@to.example"});
        Letter two({"r@to.example"});
        c.dialogue.begin(one.transaction);
        c.written();
        waits(5);
        c.hears("250 ok\r\n");
        waits(6);
        c.hears("250 ok\r\n");
        waits(chunking ? 8 : 7);
        if (!chunking) {
            c.hears("354 go\r\n");
            c.written();
            waits(8);
        }
        c.hears("554 no\r\n");
        c.dialogue.begin(two.transaction);
        c.written();
        if (chunking) {
            waits(9);
            c.hears("250 reset\r\n");
        }
        waits(5);
        c.hears("550 no\r\n503 no\r\n503 no\r\n");
        c.dialogue.quit();
        c.written();
        waits(11);
    }
}

}  // namespace
}  // namespace relay
