#include "relay/bounce/classifier.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

Disposition failed(std::uint16_t code, std::string text, Outcome outcome = Outcome::bounced) {
    Disposition result;
    result.outcome = outcome;
    result.reply = {code, {}, std::move(text)};
    result.command = "RCPT";
    result.peer_name = "mx.example.com";
    return result;
}

TEST(BounceClassifier, remembers_what_it_said) {
    BounceClassifier classifier(BounceRules::built_in());
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(classifier.classify(failed(550, "no such user")).name, "InvalidRecipient");
        EXPECT_EQ(classifier.classify(failed(451, "greylisted")).name, "TransientFailure");
    }
    EXPECT_LE(classifier.matched(), 200U);  // both may want the same place
    const std::size_t before = classifier.matched();
    for (int i = 0; i < 100; ++i)
        classifier.classify(failed(550, "no such user"));
    EXPECT_LE(classifier.matched(), before + 1);
    // Everything that decides tells replies apart.
    Disposition ours = failed(550, "no such user");
    ours.local = true;
    EXPECT_EQ(classifier.classify(ours).name, "Uncategorized");
    Disposition google = failed(552, "out of storage space and inactive");
    EXPECT_EQ(classifier.classify(google).name, "QuotaIssues");
    google.peer_name = "aspmx.l.google.com";
    EXPECT_EQ(classifier.classify(google).name, "InactiveMailbox");
    google.reply.enhanced = {5, 2, 2};
    google.peer_name.clear();
    EXPECT_EQ(classifier.classify(google).name, "QuotaIssues");
}

TEST(BounceClassifier, a_delivery_is_no_failure) {
    BounceClassifier classifier(BounceRules::built_in());
    const auto verdict = classifier.classify(failed(250, "550 user unknown", Outcome::delivered));
    EXPECT_TRUE(verdict.name.empty());
    EXPECT_FALSE(verdict.retry || verdict.suppress);
    EXPECT_EQ(classifier.matched(), 0U);
}

TEST(BounceClassifier, an_expiration_without_a_reply_is_one) {
    BounceClassifier classifier(BounceRules::built_in());
    EXPECT_EQ(classifier.classify(failed(0, "", Outcome::expired)).name, "MessageExpired");
    EXPECT_EQ(classifier.classify(failed(452, "4 quota exceeded", Outcome::expired)).name,
              "QuotaIssues");
    EXPECT_EQ(classifier.matched(), 1U);
}

TEST(BounceClassifier, new_rules_hold_at_once) {
    BounceClassifier classifier(BounceRules::built_in());
    EXPECT_EQ(classifier.classify(failed(550, "no such user")).name, "InvalidRecipient");
    const auto rules =
        BounceRules::parse({{"f", "[class.Mine]\n[rules]\nMine = [\"no such user\"]\n"}});
    ASSERT_TRUE(rules.has_value());
    classifier.use(*rules);
    EXPECT_EQ(classifier.classify(failed(550, "no such user")).name, "Mine");
}

// C11: every failure has a class, also one whose code is no refusal.
TEST(BounceClassifier, no_failure_goes_without_a_class) {
    BounceClassifier classifier(BounceRules::built_in());
    for (const int code : {0, 220, 250, 354, 666}) {
        const auto verdict = classifier.classify(
            failed(static_cast<std::uint16_t>(code), "what", Outcome::deferred));
        EXPECT_EQ(verdict.name, "Uncategorized") << code;
        EXPECT_EQ(verdict.kind, BounceKind::soft);
    }
}

TEST(BounceClassifier, the_same_words_to_another_command_are_another_reply) {
    BounceClassifier classifier(BounceRules::built_in());
    Disposition reply = failed(550, "no such user");
    EXPECT_TRUE(classifier.classify(reply).suppress);
    reply.command = "MAIL";
    EXPECT_FALSE(classifier.classify(reply).suppress);
    reply.command = ".";
    EXPECT_TRUE(classifier.classify(reply).suppress);
    reply.recipients = 3;
    EXPECT_FALSE(classifier.classify(reply).suppress);
    reply.recipients = 1;
    reply.outcome = Outcome::deferred;
    EXPECT_FALSE(classifier.classify(reply).suppress);
}

}  // namespace
}  // namespace relay
