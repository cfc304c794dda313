#include "relay/message/own_disposition.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

void expect(const Disposition& made, Outcome outcome, Scope scope, std::string_view reply,
            std::string_view command) {
    EXPECT_EQ(made.outcome, outcome) << reply;
    EXPECT_EQ(made.scope, scope) << reply;
    EXPECT_EQ(to_string(view_of(made.reply)), reply);
    EXPECT_EQ(made.command, command) << reply;
    EXPECT_TRUE(made.local) << reply;
    EXPECT_FALSE(made.ambiguous_end) << reply;
}

TEST(OwnDisposition, each_cause_has_its_outcome_its_scope_and_its_codes) {
    expect(session_failure({4, 4, 2}, "timeout", "RCPT"), Outcome::deferred, Scope::session,
           "451 4.4.2 timeout", "RCPT");
    expect(network_failure("refused"), Outcome::deferred, Scope::site, "451 4.4.1 refused",
           "connect");
    expect(host_barred("no"), Outcome::deferred, Scope::site, "451 4.7.5 no", "connect");
    expect(message_expired(), Outcome::expired, Scope::message, "554 5.4.7 message expired", "");
    expect(content_unreadable(), Outcome::deferred, Scope::message,
           "451 4.3.0 the content cannot be read back from the spool", "spool");
}

TEST(OwnDisposition, a_route_that_is_missing_for_good_returns_the_mail) {
    expect(no_route({451, {4, 4, 3}, "servfail"}), Outcome::deferred, Scope::site,
           "451 4.4.3 servfail", "DNS");
    expect(no_route({556, {5, 1, 10}, "null MX"}), Outcome::bounced, Scope::site,
           "556 5.1.10 null MX", "DNS");
    EXPECT_EQ(no_domain_name().outcome, Outcome::bounced);
}

TEST(OwnDisposition, what_a_host_lacks_another_may_have) {
    const Disposition made = host_lacks({552, {5, 3, 4}, "too big"}, "MAIL", Scope::message);
    expect(made, Outcome::bounced, Scope::message, "552 5.3.4 too big", "MAIL");
    EXPECT_TRUE(made.host_lacks);
    EXPECT_FALSE(network_failure("refused").host_lacks);
}

TEST(OwnDisposition, a_reply_that_answers_something_else_is_quoted_and_cut) {
    const Disposition made =
        unexpected_reply({354, {}, std::string(5000, 'x')}, ".", Scope::message);
    expect(made, Outcome::deferred, Scope::message,
           "451 4.5.0 unexpected reply: 354 " + std::string(200, 'x'), ".");
}

TEST(OwnDisposition, tls_that_was_demanded_keeps_the_words_of_what_failed) {
    const Disposition failed = network_failure("the certificate is of somebody else");
    expect(without_required_tls(failed, false), Outcome::bounced, Scope::site,
           "550 5.7.10 the certificate is of somebody else", "connect");
    EXPECT_EQ(without_required_tls(failed, true).reply.enhanced, (EnhancedCode{5, 7, 30}));
}

TEST(OwnDisposition, an_expiration_quotes_the_last_reply) {
    Disposition made = message_expired();
    made.quote(LastReply{{452, {4, 2, 2}, "mailbox full"}, "RCPT"});
    EXPECT_EQ(made.outcome, Outcome::expired);
    EXPECT_EQ(to_string(view_of(made.reply)), "452 4.2.2 mailbox full");
    EXPECT_EQ(made.command, "RCPT");
    EXPECT_FALSE(made.local);
}

}  // namespace
}  // namespace relay
