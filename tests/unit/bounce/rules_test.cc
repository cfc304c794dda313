#include "relay/bounce/rules.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "relay/bounce/classifier.h"

namespace relay {
namespace {

const BounceRules& built_in() {
    static const auto rules = BounceRules::built_in();
    return *rules;
}

std::string class_of(std::uint16_t code, EnhancedCode enhanced, std::string_view text = "",
                     std::string_view host = "mx.example.com") {
    return std::string(built_in().classify({{code, enhanced, text}, host}).name);
}

std::shared_ptr<const BounceRules> rules_of(const std::string& text) {
    auto rules = BounceRules::parse({{"own.toml", text}});
    EXPECT_TRUE(rules.has_value());
    return rules ? *rules : nullptr;
}

// The map of IANA's registry, by the classes of KumoMTA (C03).
TEST(BounceRules, enhanced_codes_have_their_classes) {
    for (std::uint16_t detail = 1; detail <= 4; ++detail)
        EXPECT_EQ(class_of(550, {5, 1, detail}), "InvalidRecipient");
    EXPECT_EQ(class_of(450, {4, 2, 4}), "InvalidRecipient");
    EXPECT_EQ(class_of(550, {5, 7, 17}), "InvalidRecipient");
    EXPECT_EQ(class_of(556, {5, 1, 10}), "BadDomain");
    EXPECT_EQ(class_of(550, {5, 7, 18}), "BadDomain");
    EXPECT_EQ(class_of(550, {5, 1, 6}), "InactiveMailbox");
    EXPECT_EQ(class_of(450, {4, 2, 1}), "InactiveMailbox");
    EXPECT_EQ(class_of(525, {5, 7, 13}), "InactiveMailbox");
    EXPECT_EQ(class_of(550, {5, 1, 7}), "InvalidSender");
    EXPECT_EQ(class_of(550, {5, 1, 8}), "InvalidSender");
    EXPECT_EQ(class_of(550, {5, 7, 27}), "InvalidSender");
    EXPECT_EQ(class_of(552, {5, 2, 2}), "QuotaIssues");
    EXPECT_EQ(class_of(552, {5, 2, 3}), "QuotaIssues");
    EXPECT_EQ(class_of(452, {4, 3, 1}), "QuotaIssues");
    EXPECT_EQ(class_of(552, {5, 3, 4}), "QuotaIssues");
    EXPECT_EQ(class_of(451, {4, 4, 1}), "NoAnswerFromHost");
    EXPECT_EQ(class_of(421, {4, 4, 2}), "BadConnection");
    EXPECT_EQ(class_of(451, {4, 4, 3}), "DNSFailure");
    EXPECT_EQ(class_of(550, {5, 4, 4}), "RoutingErrors");
    EXPECT_EQ(class_of(554, {5, 4, 6}), "RoutingErrors");
    EXPECT_EQ(class_of(451, {4, 4, 5}), "TransientFailure");
    EXPECT_EQ(class_of(554, {5, 4, 7}), "MessageExpired");
    EXPECT_EQ(class_of(452, {4, 5, 3}), "TooManyRecipients");
    EXPECT_EQ(class_of(550, {5, 5, 3}), "TooManyRecipients");
    EXPECT_EQ(class_of(550, {5, 5, 4}), "ProtocolErrors");
    EXPECT_EQ(class_of(554, {5, 6, 7}), "ProtocolErrors");
    EXPECT_EQ(class_of(550, {5, 7, 8}), "AuthenticationFailed");
    // The registry is no help here: what servers call 5.7.1 are blocks.
    EXPECT_EQ(class_of(550, {5, 7, 1}), "PolicyRelated");
}

TEST(BounceRules, the_order_is_text_then_enhanced_then_basic_code) {
    EXPECT_EQ(class_of(550, {5, 7, 1}, "Client host blocked using zen.spamhaus.org"), "SpamBlock");
    EXPECT_EQ(class_of(550, {5, 1, 1}, "Message filtered"), "InvalidRecipient");
    EXPECT_EQ(class_of(550, {5, 7, 1}, "Relay access denied"), "RelayDenied");
    EXPECT_EQ(class_of(552, {}, "no further words"), "QuotaIssues");
    EXPECT_EQ(class_of(556, {}, "no"), "BadDomain");
    EXPECT_EQ(class_of(451, {}, "no"), "TransientFailure");
    EXPECT_EQ(class_of(550, {}, "no"), "Uncategorized");
    EXPECT_EQ(class_of(554, {}, ""), "Uncategorized");
}

TEST(BounceRules, a_providers_words_count_at_its_hosts) {
    const std::string_view deferred = "[TSS04] Messages from 192.0.2.1 temporarily deferred";
    EXPECT_EQ(class_of(421, {4, 7, 0}, deferred, "mta5.am0.yahoodns.net"), "SpamBlock");
    EXPECT_EQ(class_of(421, {4, 7, 0}, deferred, "MTA5.am0.YahooDNS.net."), "SpamBlock");
    EXPECT_EQ(class_of(421, {4, 7, 0}, deferred, "notyahoodns.net"), "TransientFailure");
    EXPECT_EQ(class_of(421, {4, 7, 0}, deferred, "net"), "TransientFailure");
    EXPECT_EQ(class_of(421, {4, 7, 0}, deferred, ""), "TransientFailure");
    // Gmail says "inactive" where the registry says "full".
    const std::string_view full = "The recipient's inbox is out of storage space and inactive";
    EXPECT_EQ(class_of(552, {5, 2, 2}, full, "gmail-smtp-in.l.google.com"), "InactiveMailbox");
    EXPECT_EQ(class_of(552, {5, 2, 2}, full), "QuotaIssues");
}

TEST(BounceRules, nothing_is_classified_that_is_no_failure) {
    EXPECT_EQ(class_of(250, {2, 0, 0}, "550 5.1.1 user unknown"), "");
    EXPECT_EQ(class_of(354, {}, "spam"), "");
    EXPECT_EQ(class_of(0, {}, "user unknown"), "");
    EXPECT_EQ(class_of(650, {}, "user unknown"), "");
}

// An address is suppressed only for what is wrong with the address, and only for good (C04).
TEST(BounceRules, only_what_is_wrong_with_an_address_suppresses_it) {
    const auto verdict = [](std::uint16_t code, EnhancedCode enhanced, std::string_view text) {
        return built_in().classify({{code, enhanced, text}, "mx.example.com"});
    };
    const auto unknown = verdict(550, {5, 1, 1}, "user unknown");
    EXPECT_TRUE(unknown.suppress);
    EXPECT_EQ(unknown.kind, BounceKind::hard);
    const auto later = verdict(450, {4, 1, 1}, "user unknown");
    EXPECT_FALSE(later.suppress);
    EXPECT_EQ(later.kind, BounceKind::soft);
    const auto inactive = verdict(525, {5, 7, 13}, "account disabled");
    EXPECT_TRUE(inactive.suppress);
    EXPECT_TRUE(verdict(556, {5, 1, 10}, "null MX").suppress);
    const auto full = verdict(552, {5, 2, 2}, "mailbox full");
    EXPECT_FALSE(full.suppress);
    EXPECT_EQ(full.kind, BounceKind::soft);
    for (const auto* text : {"blocked using zen.spamhaus.org", "Relay access denied",
                             "rejected for policy reasons", "DMARC policy says reject"}) {
        const auto block = verdict(550, {5, 7, 1}, text);
        EXPECT_FALSE(block.suppress) << text;
        EXPECT_EQ(block.kind, BounceKind::block) << text;
    }
    const auto nonsense = verdict(503, {5, 5, 1}, "bad sequence of commands");
    EXPECT_FALSE(nonsense.suppress);
    EXPECT_EQ(nonsense.kind, BounceKind::hard);
    // A tenant of Microsoft that refuses everybody says the same as one without this address.
    const auto denied =
        built_in().classify({{550, {5, 4, 1}, "Recipient address rejected: Access denied."},
                             "x.mail.protection.outlook.com"});
    EXPECT_EQ(denied.name, "InvalidRecipient");
    EXPECT_FALSE(denied.suppress);
}

TEST(BounceRules, the_basic_code_says_how_final_a_contradiction_is) {
    const auto verdict = built_in().classify({{450, {5, 1, 1}, "user unknown"}, ""});
    EXPECT_EQ(verdict.name, "InvalidRecipient");
    EXPECT_EQ(verdict.kind, BounceKind::soft);
    EXPECT_FALSE(verdict.suppress);
}

TEST(BounceRules, our_own_words_are_not_read_as_theirs) {
    const BounceReply ours{{451, {4, 4, 1}, "connecting to spamhaus.example [192.0.2.1]: refused"},
                           "spamhaus.example",
                           true};
    EXPECT_EQ(built_in().classify(ours).name, "NoAnswerFromHost");
    EXPECT_EQ(built_in().classify({{554, {5, 4, 7}, ""}, "", true}).name, "MessageExpired");
    EXPECT_EQ(built_in().classify({{451, {4, 4, 3}, ""}, "", true}).name, "DNSFailure");
    EXPECT_EQ(built_in().classify({{451, {4, 4, 2}, ""}, "", true}).name, "BadConnection");
    EXPECT_EQ(built_in().classify({{554, {5, 4, 6}, ""}, "", true}).name, "RoutingErrors");
    EXPECT_EQ(built_in().classify({{556, {5, 1, 10}, ""}, "", true}).name, "BadDomain");
}

TEST(BounceRules, a_file_of_ones_own_is_asked_first) {
    const auto rules = rules_of(
        "[rules]\nHoliday = [\"^550 5.1.1 closed for .* holidays\"]\n"
        "[class.Holiday]\nkind = \"soft\"\n"
        "[enhanced]\n\"5.1.1\" = \"BadDomain\"\n[code]\n\"550\" = \"Holiday\"\n");
    const auto holiday =
        rules->classify({{550, {5, 1, 1}, "closed for\nthe holidays"}, "mx.example.com"});
    EXPECT_EQ(holiday.name, "Holiday");
    EXPECT_EQ(holiday.kind, BounceKind::soft);
    EXPECT_FALSE(holiday.suppress);
    EXPECT_EQ(rules->classify({{550, {5, 1, 1}, "Closed for holidays"}, ""}).name, "BadDomain");
    EXPECT_EQ(rules->classify({{550, {}, "xyz"}, ""}).name, "Holiday");
    EXPECT_EQ(rules->classify({{550, {5, 1, 2}, "xyz"}, ""}).name, "InvalidRecipient");
}

// Some receivers write rate limits as 5yz; whoever wants to try again says so in a file.
TEST(BounceRules, a_class_may_ask_for_another_try) {
    const auto rules = rules_of("[class.TransientFailure]\nretry = true\n");
    const BounceReply limited{{550, {}, "Ip frequency limited"}, "mx3.qq.com"};
    const auto verdict = rules->classify(limited);
    EXPECT_EQ(verdict.name, "TransientFailure");
    EXPECT_TRUE(verdict.retry);
    EXPECT_EQ(verdict.kind, BounceKind::soft);
    EXPECT_FALSE(built_in().classify(limited).retry);
    EXPECT_FALSE(rules->classify({{451, {}, "Ip frequency limited"}, ""}).retry);
    EXPECT_FALSE(rules->classify({{550, {5, 1, 1}, "unknown"}, ""}).retry);
}

TEST(BounceRules, a_line_is_what_kumo_mta_matches) {
    EXPECT_EQ(bounce_line({{550, {5, 1, 1}, "one\ntwo"}, ""}), "550 5.1.1 one two");
    EXPECT_EQ(bounce_line({{421, {}, ""}, ""}), "421 ");
}

TEST(BounceRules, hostile_text_is_text_and_takes_linear_time) {
    std::string text;
    for (int i = 0; i < 100'000; ++i)
        text += static_cast<char>(i * 7919 >> 3);
    EXPECT_NE(built_in().classify({{550, {}, text}, text}).name, "");
    const std::string repeated(1'000'000, 'a');  // would hold up a matcher that goes back
    const auto rules = rules_of("[class.A]\n[rules]\nA = [\"(a|a)*(a|aa)*b$\", \"(.*a){12}c\"]\n");
    EXPECT_EQ(rules->classify({{550, {5, 1, 1}, repeated}, ""}).name, "InvalidRecipient");
}

TEST(BounceRules, names_of_classes_are_those_of_kumo_mta) {
    std::set<std::string_view> names;
    for (const BounceClassFacts& each : kBounceClasses)
        names.insert(each.name);
    EXPECT_EQ(names.size(), kBounceClasses.size());
    EXPECT_EQ(names, (std::set<std::string_view>{"InvalidRecipient",
                                                 "DNSFailure",
                                                 "SpamBlock",
                                                 "SpamContent",
                                                 "ProhibitedAttachment",
                                                 "RelayDenied",
                                                 "AutoReply",
                                                 "TransientFailure",
                                                 "Subscribe",
                                                 "Unsubscribe",
                                                 "ChallengeResponse",
                                                 "BadConfiguration",
                                                 "BadConnection",
                                                 "BadDomain",
                                                 "ContentRelated",
                                                 "InactiveMailbox",
                                                 "InvalidSender",
                                                 "MessageExpired",
                                                 "NoAnswerFromHost",
                                                 "PolicyRelated",
                                                 "ProtocolErrors",
                                                 "QuotaIssues",
                                                 "RelayingIssues",
                                                 "RoutingErrors",
                                                 "SpamRelated",
                                                 "VirusRelated",
                                                 "AuthenticationFailed",
                                                 "TooManyRecipients",
                                                 "Uncategorized"}));
}

BounceVerdict answered(Asked asked, std::string_view text, std::uint32_t recipients = 1) {
    return built_in().classify(
        {{550, {5, 1, 1}, text}, "", false, asked, recipients, asked < Asked::mail});
}

// C3: what is refused before RCPT is about us or the sender.
TEST(BounceRules, the_command_that_was_answered_decides_whom_a_refusal_is_about) {
    constexpr std::string_view kUnknown = "user unknown";
    EXPECT_TRUE(answered(Asked::rcpt, kUnknown).suppress);
    EXPECT_TRUE(answered(Asked::content, kUnknown).suppress);
    const auto several = answered(Asked::content, kUnknown, 2);
    EXPECT_EQ(several.name, "InvalidRecipient");
    EXPECT_EQ(several.kind, BounceKind::soft);
    EXPECT_FALSE(several.suppress);
    EXPECT_FALSE(answered(Asked::data, kUnknown).suppress);
    const auto sender = answered(Asked::mail, kUnknown);
    EXPECT_EQ(sender.name, "InvalidSender");
    EXPECT_EQ(sender.kind, BounceKind::block);
    const BounceReply refused{{550, {5, 1, 1}, kUnknown}, "", false, Asked::greeting};
    EXPECT_EQ(built_in().classify(refused).name, "PolicyRelated");
    EXPECT_EQ(built_in().classify(refused).kind, BounceKind::block);
}

// The files of users decide the class, and still suppress nobody whom the reply is not about.
TEST(BounceRules, a_rule_may_name_commands_and_cannot_suppress_beyond_them) {
    const auto rules = rules_of(
        "[[text]]\nclass = \"Mine\"\ncommands = [\"MAIL\", \"ehlo\"]\nmatch = [\"unknown\"]\n"
        "[class.Mine]\nkind = \"hard\"\nsuppress = true\n");
    const BounceReply mail{{550, {}, "unknown"}, "", false, Asked::mail};
    EXPECT_EQ(rules->classify(mail).name, "Mine");
    EXPECT_FALSE(rules->classify(mail).suppress);
    EXPECT_EQ(rules->classify(mail).kind, BounceKind::block);
    EXPECT_NE(rules->classify({{550, {}, "unknown"}, ""}).name, "Mine");
}

TEST(BounceRules, words_inside_addresses_mean_nothing) {
    EXPECT_EQ(without_addresses("550 <spam@a.test>: no (b@c.d:blocked) x@ @y a@b"),
              "550 <x@x>: no (x@x:blocked) x@ @y x@x");
    EXPECT_EQ(class_of(550, {}, "<greylist@blacklist.test>: user unknown"), "InvalidRecipient");
}

// What decides stands after what is kept for people.
TEST(BounceRules, all_that_was_read_of_a_reply_is_looked_at) {
    Disposition done;
    done.outcome = Outcome::bounced;
    done.reply.code = 550;
    done.command = "RCPT";
    done.quote(Reply{550, {}, std::string(3000, 'x') + "\nuser unknown"});
    EXPECT_EQ(done.reply.text.size(), kMaxReplyText);
    BounceClassifier classifier(BounceRules::built_in());
    EXPECT_EQ(classifier.classify(done).name, "InvalidRecipient");
}

}  // namespace
}  // namespace relay
