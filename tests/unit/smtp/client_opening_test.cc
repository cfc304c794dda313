// STARTTLS and AUTH in the sending dialogue (RFC 3207, RFC 4954).
#include <gtest/gtest.h>

#include "core/base/ascii.h"
#include "relay/smtp/client_dialogue.h"
#include "tests/unit/smtp/conversation.h"

namespace relay {
namespace {

using Event = ClientDialogue::Event;

const std::string kOffer = "250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 STARTTLS\r\n";

struct Opening : Conversation {
    explicit Opening(TlsWish wish) {
        dialogue.want_tls(wish);
        says("");
        hears("220 mx ready\r\n");
        says("EHLO me.example\r\n");
    }
    void log_in(const Login& login) { dialogue.log_in(login, "rOprNGfwEbeRWgbNEkqO"); }
    void start_tls(bool verified, const std::string& ehlo) {
        EXPECT_EQ(hears(kOffer), Event::need_input);
        says("STARTTLS\r\n");
        EXPECT_EQ(hears("220 2.0.0 go ahead\r\n"), Event::start_tls);
        says("");
        dialogue.tls_started(verified);
        says("EHLO me.example\r\n");
        hears(ehlo);
    }
};

// RFC 3207 section 4.2: the client discards what it knew, and says EHLO again.
TEST(ClientOpening, starttls_is_the_last_of_its_group_and_everything_is_learned_again) {
    Opening c(TlsWish::if_offered);
    EXPECT_EQ(c.hears(kOffer), Event::need_input);
    EXPECT_FALSE(c.dialogue.can_begin());
    c.says("STARTTLS\r\n");
    c.says("");
    EXPECT_EQ(c.hears("220 2.0.0 go ahead\r\n"), Event::start_tls);
    EXPECT_FALSE(c.dialogue.can_begin());
    c.dialogue.tls_started(false);
    EXPECT_FALSE(c.dialogue.extensions().pipelining);
    c.says("EHLO me.example\r\n");
    EXPECT_EQ(c.hears("250-mx\r\n250-STARTTLS\r\n250 8BITMIME\r\n"), Event::ready);
    EXPECT_FALSE(c.dialogue.extensions().pipelining);
    EXPECT_FALSE(c.dialogue.extensions().chunking);
    EXPECT_TRUE(c.dialogue.extensions().eight_bit);
    c.says("");  // STARTTLS inside TLS is not taken up
}

TEST(ClientOpening, without_the_wish_starttls_is_left_alone) {
    Opening c(TlsWish::none);
    EXPECT_EQ(c.hears(kOffer), Event::ready);
    c.says("");
}

TEST(ClientOpening, without_the_offer_the_wish_decides) {
    Opening optional(TlsWish::if_offered);
    EXPECT_EQ(optional.hears("250-mx\r\n250 PIPELINING\r\n"), Event::ready);
    Opening required(TlsWish::required);
    EXPECT_EQ(required.hears("250-mx\r\n250 PIPELINING\r\n"), Event::closing);
    EXPECT_TRUE(required.dialogue.tls_missing());
    EXPECT_EQ(required.dialogue.ending().reply.enhanced, (EnhancedCode{4, 7, 5}));
    required.says("");
}

// RFC 8689 section 4.2.1: every hop must pass the requirement on.
TEST(ClientOpening, requiretls_is_said_where_it_is_offered_inside_tls_only) {
    Opening willing(TlsWish::required);
    willing.dialogue.require_tls();
    willing.start_tls(true, "250-mx\r\n250-PIPELINING\r\n250 REQUIRETLS\r\n");
    ASSERT_TRUE(willing.dialogue.can_begin());
    Letter letter({"b@to.example"});
    willing.dialogue.begin(letter.transaction);
    willing.says("MAIL FROM:<a@from.example> REQUIRETLS\r\nRCPT TO:<b@to.example>\r\nDATA\r\n");

    Opening other(TlsWish::required);
    other.dialogue.require_tls();
    EXPECT_EQ(other.hears("250-mx\r\n250-REQUIRETLS\r\n250 STARTTLS\r\n"), Event::need_input);
    other.says("STARTTLS\r\n");
    EXPECT_EQ(other.hears("220 2.0.0 go ahead\r\n"), Event::start_tls);
    other.dialogue.tls_started(true);
    other.says("EHLO me.example\r\n");
    EXPECT_EQ(other.hears("250-mx\r\n250 PIPELINING\r\n"), Event::closing);
    EXPECT_TRUE(other.dialogue.requirement_missing());
    EXPECT_EQ(other.dialogue.ending().reply.enhanced, (EnhancedCode{4, 7, 30}));
}

// CVE-2021-38371: RFC 3207 says that the client speaks first inside TLS.
TEST(ClientOpening, any_octet_after_the_reply_to_starttls_ends_the_session) {
    for (const char* behind : {"250 fake\r\n", "2", "\r\n", "250-mx\r\n250 PIPELINING\r\n"}) {
        Opening c(TlsWish::if_offered);
        c.hears(kOffer);
        c.says("STARTTLS\r\n");
        EXPECT_EQ(c.hears(std::string("220 go\r\n") + behind), Event::closing) << behind;
        EXPECT_FALSE(c.dialogue.tls_refused());
        EXPECT_EQ(c.dialogue.ending().reply.enhanced, (EnhancedCode{4, 7, 5}));
        c.says("");
    }
}

TEST(ClientOpening, a_reply_before_starttls_was_sent_is_not_its_reply) {
    Opening c(TlsWish::if_offered);
    EXPECT_EQ(c.hears(kOffer + "220 go\r\n"), Event::closing);
}

TEST(ClientOpening, a_refused_starttls_is_told_from_a_server_that_closes) {
    for (const char* reply : {"454 4.7.0 not now", "500 what", "503 5.5.1 no", "530 5.7.0 no"}) {
        Opening c(TlsWish::if_offered);
        c.hears(kOffer);
        c.says("STARTTLS\r\n");
        EXPECT_EQ(c.hears(std::string(reply) + "\r\n"), Event::closing);
        EXPECT_TRUE(c.dialogue.tls_refused());
    }
    Opening c(TlsWish::if_offered);
    c.hears(kOffer);
    c.says("STARTTLS\r\n");
    c.hears("421 4.3.2 closing\r\n");
    EXPECT_FALSE(c.dialogue.tls_refused());
}

TEST(ClientOpening, starttls_is_not_asked_for_where_tls_began_with_the_first_octet) {
    Conversation c;
    c.dialogue.tls_started(true);
    c.says("");
    c.hears("220 mx\r\n");
    c.says("EHLO me.example\r\n");
    EXPECT_EQ(c.hears("250-mx\r\n250 STARTTLS\r\n"), Event::ready);
}

// ---- AUTH

const Login kLogin{"user", "pencil", false};
const Login kCareless{"user", "pencil", true};
const std::string kPlain = "AUTH PLAIN AHVzZXIAcGVuY2ls\r\n";  // \0user\0pencil

TEST(ClientOpening, a_login_inside_verified_tls_is_plain) {
    Opening c(TlsWish::required);
    c.log_in(kLogin);
    c.start_tls(true, "250-mx\r\n250-PIPELINING\r\n250 AUTH LOGIN PLAIN\r\n");
    EXPECT_FALSE(c.dialogue.can_begin());
    c.says(kPlain);
    c.says("");
    EXPECT_EQ(c.hears("235 2.7.0 welcome\r\n"), Event::ready);
    EXPECT_TRUE(c.dialogue.can_begin());
    EXPECT_TRUE(c.dialogue.extensions().pipelining);
}

TEST(ClientOpening, auth_login_is_used_where_there_is_nothing_better) {
    Opening c(TlsWish::required);
    c.log_in(kLogin);
    c.start_tls(true, "250-mx\r\n250 AUTH=LOGIN\r\n");
    c.says("AUTH LOGIN\r\n");
    c.hears("334 VXNlcm5hbWU6\r\n");
    c.says("dXNlcg==\r\n");
    c.hears("334 UGFzc3dvcmQ6\r\n");
    c.says("cGVuY2ls\r\n");
    EXPECT_EQ(c.hears("235 ok\r\n"), Event::ready);
}

TEST(ClientOpening, an_unverified_host_is_told_no_password) {
    Opening c(TlsWish::required);
    c.log_in(kLogin);
    c.start_tls(false, "250-mx\r\n250 AUTH LOGIN PLAIN\r\n");
    c.says("");
    EXPECT_EQ(c.dialogue.ending().command, "AUTH");
    EXPECT_EQ(c.dialogue.ending().outcome, Outcome::deferred);
    Opening careless(TlsWish::required);
    careless.log_in(kCareless);
    careless.start_tls(false, "250-mx\r\n250 AUTH LOGIN PLAIN\r\n");
    careless.says(kPlain);
    // In clear text the same.
    Opening clear(TlsWish::none);
    clear.log_in(kLogin);
    EXPECT_EQ(clear.hears("250-mx\r\n250 AUTH PLAIN\r\n"), Event::closing);
}

// The numbers of RFC 7677 section 3.
TEST(ClientOpening, scram_is_used_in_clear_text_too) {
    Opening c(TlsWish::none);
    c.log_in(kLogin);
    c.hears("250-mx\r\n250 AUTH PLAIN SCRAM-SHA-256\r\n");
    c.says("AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=\r\n");
    c.hears(
        "334 cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyVodllEcFdVYTJSYVRDQWZ1eEZJbGopaE5sRiRrMCxzPVcyMlphSjBTTl"
        "k3c29Fc1VFamI2Z1E9PSxpPTQwOTY=\r\n");
    c.says(
        "Yz1iaXdzLHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXVWEyUmFUQ0FmdXhGSWxqKWhObEYkazAscD1kSHpiWm"
        "FwV0lrNGpVaE4rVXRlOXl0YWc5empmTUhnc3FtbWl6N0FuZFZRPQ==\r\n");
    c.hears("334 dj02cnJpVFJCaTIzV3BSUi93dHVwK21NaFVaVW4vZEI1bkxUSlJzamw5NUc0PQ==\r\n");
    c.says("\r\n");
    EXPECT_EQ(c.hears("235 2.7.0 welcome\r\n"), Event::ready);
}

TEST(ClientOpening, a_server_that_does_not_know_the_password_is_not_trusted) {
    const std::string challenge =
        "334 cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyVodllEcFdVYTJSYVRDQWZ1eEZJbGopaE5sRiRrMCxzPVcyMlphSjBTTl"
        "k3c29Fc1VFamI2Z1E9PSxpPTQwOTY=\r\n";
    const auto until_proof = [&](Opening& c) {
        c.log_in(kLogin);
        c.hears("250-mx\r\n250 AUTH SCRAM-SHA-256\r\n");
        c.written();
        c.hears(challenge);
        c.written();
    };
    Opening early(TlsWish::none);
    until_proof(early);
    EXPECT_EQ(early.hears("235 2.7.0 welcome\r\n"), Event::closing);  // without its signature
    Opening wrong(TlsWish::none);
    until_proof(wrong);
    EXPECT_EQ(wrong.hears("334 dj1BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9\r\n"),
              Event::closing);
}

TEST(ClientOpening, a_refused_login_is_no_bounce_and_holds_no_secret) {
    for (const char* reply :
         {"535 5.7.8 bad credentials\r\n", "454 4.7.0 later\r\n", "432 4.7.12 change it\r\n",
          "421 4.7.0 go away\r\n", "535 5.7.8 pencil is not it, nor is pencilpencil\r\n"}) {
        Opening c(TlsWish::required);
        c.log_in(kLogin);
        c.start_tls(true, "250-mx\r\n250 AUTH PLAIN\r\n");
        c.says(kPlain);
        EXPECT_EQ(c.hears(reply), Event::closing);
        EXPECT_EQ(c.dialogue.ending().command, "AUTH");
        EXPECT_EQ(c.dialogue.ending().reply.text.find("pencil"), std::string::npos);
        EXPECT_EQ(c.dialogue.ending().reply.text.find("AHVz"), std::string::npos);
    }
}

TEST(ClientOpening, challenges_without_end_or_sense_end_the_session) {
    Opening c(TlsWish::required);
    c.log_in(kLogin);
    c.start_tls(true, "250-mx\r\n250 AUTH PLAIN\r\n");
    c.says(kPlain);
    EXPECT_EQ(c.hears("334 \r\n"), Event::closing);  // PLAIN has no second step
    for (const char* challenge :
         {"334 not base64!\r\n", "334 \r\n", "334 cj1vdGhlcixzPUFBQUEsaT00MDk2\r\n",
          // r=rOprNGfwEbeRWgbNEkqOx,s=AAAA with i=1, i=99999999 and i=4096x
          "334 cj1yT3ByTkdmd0ViZVJXZ2JORWtxT3gscz1BQUFBLGk9MQ==\r\n",
          "334 cj1yT3ByTkdmd0ViZVJXZ2JORWtxT3gscz1BQUFBLGk9OTk5OTk5OTk=\r\n",
          "334 cj1yT3ByTkdmd0ViZVJXZ2JORWtxT3gscz1BQUFBLGk9NDA5Nng=\r\n",
          // the nonce is ours and nothing more
          "334 cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyxzPUFBQUEsaT00MDk2\r\n"}) {
        Opening scram(TlsWish::none);
        scram.log_in(kLogin);
        scram.hears("250-mx\r\n250 AUTH SCRAM-SHA-256\r\n");
        scram.written();
        EXPECT_EQ(scram.hears(challenge), Event::closing) << challenge;
        EXPECT_EQ(scram.dialogue.ending().outcome, Outcome::deferred);
    }
}

// The server quotes what it was told, in whatever form, here and later in the session.
TEST(ClientOpening, credentials_that_a_server_quotes_are_in_no_text) {
    const std::string quotes[] = {"AUTH PLAIN AHVzZXIAcGVuY2ls",
                                  "auth plain ahvzzxiacgvuy2ls",
                                  "AHVzZXIAcGVuY2",
                                  "pencil",
                                  "user:PENCIL",
                                  "cGVuY2ls",
                                  "dXNlcjpwZW5jaWw=",
                                  "70656e63696c",
                                  "xAHVzZXIAcGVuY2lsx",
                                  "AHVzZXIA cGVuY2ls"};
    const auto expect_clean = [](const Disposition& said, const std::string& quote) {
        const std::string text = core::to_lower(said.words());
        for (const char* secret : {"pencil", "cgvuy2ls", "ahvzzxia", "wzw5jaww", "70656e63696c"})
            EXPECT_FALSE(text.contains(secret)) << quote << ": " << text;
    };
    for (const std::string& quote : quotes) {
        Opening refused(TlsWish::required);
        refused.log_in(kLogin);
        refused.start_tls(true, "250-mx\r\n250 AUTH PLAIN\r\n");
        refused.says(kPlain);
        refused.hears("535 5.7.8 no: " + quote + "\r\n");
        expect_clean(refused.dialogue.ending(), quote);

        Opening later(TlsWish::required);
        later.log_in(kLogin);
        later.start_tls(true, "250-mx\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n");
        later.says(kPlain);
        later.hears("235 ok\r\n");
        Letter letter({"b@to.example"});
        later.dialogue.begin(letter.transaction);
        later.written();
        later.hears("250 ok\r\n550-you said\r\n550 " + quote + "\r\n503 no\r\n");
        EXPECT_TRUE(letter.result().reply.text.contains("***")) << quote;
        expect_clean(letter.result(), quote);
    }
}

TEST(ClientOpening, credentials_of_auth_login_are_in_no_text) {
    Opening c(TlsWish::required);
    c.log_in(kLogin);
    c.start_tls(true, "250-mx\r\n250 AUTH LOGIN\r\n");
    c.written();
    c.hears("334 VXNlcm5hbWU6\r\n");
    c.written();
    c.hears("334 UGFzc3dvcmQ6\r\n");
    c.written();
    c.hears("535 5.7.8 cGVuY2ls is wrong for user\r\n");
    EXPECT_EQ(c.dialogue.ending().reply.text, "*** is wrong for user");
}

TEST(Extensions, reads_keywords_whatever_their_case) {
    const Extensions found = Extensions::read(
        "mx STARTTLS\npipelining\nSize 1000\nAuth LOGIN\nAUTH=PLAIN\nstarttls\nXSTARTTLS\n");
    EXPECT_TRUE(found.pipelining && found.starttls && found.size);
    EXPECT_EQ(found.size_limit, 1000U);
    EXPECT_EQ(found.auth, "LOGIN PLAIN");
    EXPECT_FALSE(Extensions::read("STARTTLS").starttls);  // the server's name
    EXPECT_FALSE(Extensions::read("mx\nSTARTTLSX").starttls);
    EXPECT_EQ(Extensions::read("mx\nSIZE").size_limit, 0U);
}

}  // namespace
}  // namespace relay
