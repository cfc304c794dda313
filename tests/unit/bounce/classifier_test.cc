#include "relay/bounce/classifier.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

Disposition failed(std::uint16_t code, std::string text, Outcome outcome = Outcome::bounced) {
    Disposition result;
    result.outcome = outcome;
    result.code = code;
    result.text = std::move(text);
    result.peer_name = "mx.example.com";
    return result;
}

TEST(BounceClassifier, RemembersWhatItSaid) {
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
    google.enhanced = {5, 2, 2};
    google.peer_name.clear();
    EXPECT_EQ(classifier.classify(google).name, "QuotaIssues");
}

TEST(BounceClassifier, AnExpirationWithoutAReplyIsOne) {
    BounceClassifier classifier(BounceRules::built_in());
    EXPECT_EQ(classifier.classify(failed(0, "", Outcome::expired)).name, "MessageExpired");
    EXPECT_EQ(classifier.classify(failed(452, "4 quota exceeded", Outcome::expired)).name,
              "QuotaIssues");
    EXPECT_EQ(classifier.matched(), 1U);
}

TEST(BounceClassifier, NewRulesHoldAtOnce) {
    BounceClassifier classifier(BounceRules::built_in());
    EXPECT_EQ(classifier.classify(failed(550, "no such user")).name, "InvalidRecipient");
    const auto rules =
        BounceRules::parse({{"f", "[class.Mine]\n[rules]\nMine = [\"no such user\"]\n"}});
    ASSERT_TRUE(rules.has_value());
    classifier.use(*rules);
    EXPECT_EQ(classifier.classify(failed(550, "no such user")).name, "Mine");
}

}  // namespace
}  // namespace relay
