#include "relay/bounce/rule_reader.h"

#include <string>

#include <gtest/gtest.h>

#include "relay/bounce/rules.h"

namespace relay {
namespace {

// All sentences about one text, one a line.
std::string complaints(const std::string& text) {
    const auto rules = BounceRules::parse_only({{"f.toml", text}});
    std::string all;
    if (rules) return all;
    for (const Problem& each : rules.error())
        all += each.to_string() + "\n";
    return all;
}

TEST(RuleReader, takes_rules_in_the_order_of_the_text) {
    RuleReader reader;
    const BounceText file{"f.toml",
                          "[rules]\n"
                          "Zebra = [\n \"first\",\n \"second\" ]\n"
                          "Apple = [\"third\", \"fourth\"]\n"
                          "[[text]]\nclass = \"Own\"\nmatch = [\"fifth\"]\n"};
    reader.file(file);
    ASSERT_TRUE(reader.problems.empty());
    std::string order;
    for (const TextRule& each : reader.tables.text)
        order += each.pattern + " ";
    EXPECT_EQ(order, "first second third fourth (?i)fifth ");
    EXPECT_EQ(reader.tables.text[1].line, 4);
    EXPECT_EQ(reader.tables.classes[reader.tables.text[0].klass].name, "Zebra");
}

TEST(RuleReader, reads_what_our_format_says) {
    RuleReader reader;
    const BounceText file{"f.toml",
                          "vague = [\"x.7.1\"]\n"
                          "[class.Seasonal]\nkind = \"soft\"\n"
                          "[class.Gone]\nkind = \"hard\"\nsuppress = true\n"
                          "[[text]]\nclass = \"Gone\"\nhosts = [\"Example.COM\"]\nvague = true\n"
                          "suppress = false\nmatch = [\"x\"]\n"
                          "[enhanced]\n\"5.9.x\" = \"Seasonal\"\n"
                          "[code]\n\"599\" = \"Gone\"\n\"4xx\" = \"Seasonal\"\n"};
    reader.file(file);
    ASSERT_TRUE(reader.problems.empty()) << reader.problems[0].to_string();
    ASSERT_EQ(reader.tables.text.size(), 1U);
    const TextRule& rule = reader.tables.text[0];
    EXPECT_TRUE(rule.vague_only);
    EXPECT_TRUE(rule.keep);
    EXPECT_EQ(reader.tables.hosts[rule.hosts], std::vector<std::string>{"example.com"});
    EXPECT_EQ(reader.tables.classes[rule.klass].nature, BounceNature::address);
    EXPECT_TRUE(reader.tables.classes[rule.klass].suppress);
    EXPECT_TRUE(reader.tables.enhanced.contains({5, 9, kAnyNumber}));
    EXPECT_EQ(reader.tables.code.size(), 2U);
    EXPECT_EQ(reader.tables.vague, (std::vector<EnhancedKey>{{kAnyNumber, 7, 1}}));
}

TEST(RuleReader, says_every_mistake_with_its_line) {
    EXPECT_EQ(complaints("x = ["), complaints("x = ["));
    EXPECT_TRUE(complaints("x = [").starts_with("f.toml:1: "));
    EXPECT_EQ(complaints("[rule]\n"),
              "f.toml:1: bounce rules have no table \"rule\"; there are rules, text, enhanced, "
              "code, vague and class\n");
    EXPECT_EQ(complaints("[rules]\nA = \"x\"\nB = [1]\n\"c d\" = [\"x\"]\n[class.A]\n[class.B]\n"),
              "f.toml:2: \"A\" must be an array of strings\n"
              "f.toml:3: \"B\" must be an array of strings\n"
              "f.toml:4: \"c d\" is not the name of a class: 1 to 64 letters and digits\n");
    EXPECT_TRUE(complaints("[rules]\nA = [\n\"ok\",\n\"(\"]\n")
                    .starts_with("f.toml:4: \"(\" is no pattern: missing )"));
    EXPECT_TRUE(complaints("[rules]\nA = [\"a(?=b)\"]\n").contains("f.toml:2: \"a(?=b)\" is no"));
    EXPECT_TRUE(complaints("[[text]]\nclass = \"A\"\n").contains("f.toml:1: [[text]] needs"));
    EXPECT_TRUE(complaints("[[text]]\nclass = \"A\"\nmatch = [\"a\"]\nhost = [\"b\"]\n")
                    .contains("f.toml:4: [[text]] takes"));
    EXPECT_TRUE(complaints("text = [1]\n").contains("written as [[text]]"));
    EXPECT_TRUE(complaints("text = 1\n").contains("must be an array"));
    EXPECT_TRUE(complaints("[enhanced]\n\"2.1.1\" = \"A\"\n").contains("f.toml:2: [enhanced]"));
    EXPECT_TRUE(complaints("[enhanced]\n\"5.1\" = \"A\"\n").contains("f.toml:2: [enhanced]"));
    EXPECT_TRUE(complaints("[enhanced]\n\"5.1.1234\" = \"A\"\n").contains("f.toml:2"));
    EXPECT_TRUE(complaints("[code]\n\"250\" = \"A\"\n").contains("f.toml:2: [code]"));
    EXPECT_TRUE(complaints("vague = [\"7.1\"]\n").contains("f.toml:1: vague lists"));
    EXPECT_TRUE(complaints("[class.A]\nkind = \"harsh\"\n").contains("[class.A] takes kind"));
    EXPECT_TRUE(complaints("[class.A]\nkind = \"hard\"\nx = 1\n").contains("[class.A] takes"));
    EXPECT_TRUE(complaints("[rules]\nA = [\"\"]\n").contains("1 to 1000 octets"));
    EXPECT_TRUE(complaints("[rules]\nA = [\"" + std::string(1001, 'a') + "\"]\n")
                    .contains("1 to 1000 octets"));
}

// U9: suppression was lost with the class.
TEST(RuleReader, a_class_that_nobody_declares_is_a_mistake) {
    EXPECT_EQ(complaints("[rules]\nInvalidRecipent = [\"x\"]\n"),
              "f.toml:2: there is no class \"InvalidRecipent\"; is \"InvalidRecipient\" meant?; a "
              "class of your own is declared by [class.InvalidRecipent]\n");
    EXPECT_EQ(complaints("[code]\n\"552\" = \"Mine\"\n[enhanced]\n\"5.1.1\" = \"Mine\"\n"),
              "f.toml:2: there is no class \"Mine\"; a class of your own is declared by "
              "[class.Mine]\n");
    EXPECT_EQ(complaints("[code]\n\"552\" = \"Mine\"\n[class.Mine]\n"), "");
    // Whichever file declares it.
    EXPECT_TRUE(BounceRules::parse(
                    {{"a", "[rules]\nMine = [\"x\"]\n"}, {"b", "[class.Mine]\nsuppress = true\n"}})
                    .has_value());
    const auto wrong = BounceRules::parse(
        {{"a", "[rules]\nMien = [\"x\"]\n"}, {"b", "[class.Mine]\nsuppress = true\n"}});
    ASSERT_FALSE(wrong.has_value());
    EXPECT_TRUE(
        wrong.error()[0].to_string().starts_with("a:2: there is no class \"Mien\"; is "
                                                 "\"Mine\" meant?"));
    EXPECT_TRUE(complaints("[class]\nMine = 1\n").contains("[class.Mine] takes"));
}

TEST(RuleReader, has_limits) {
    std::string patterns = "[rules]\nA = [";
    for (std::size_t i = 0; i <= kMostPatterns; ++i)
        patterns += "\"a\",";
    EXPECT_TRUE(complaints(patterns + "]\n").contains("more than 10000 patterns"));
    std::string classes = "[rules]\n";
    for (std::size_t i = 0; i <= kMostClasses; ++i)
        classes += "C" + std::to_string(i) + " = [\"a\"]\n";
    EXPECT_TRUE(complaints(classes).contains("more than 1000 classes"));
    // What would need memory without end is refused, not tried.
    std::string greedy = "[rules]\nA = [";
    for (int i = 0; i < 2000; ++i)
        greedy += "\"(a{1,30}.*b){1,30}" + std::to_string(i) + "\",";
    EXPECT_TRUE(complaints(greedy + "]\n").contains("too much memory"));
}

TEST(RuleReader, commands_are_those_that_replies_answer) {
    EXPECT_EQ(complaints("[[text]]\nclass = \"SpamBlock\"\nmatch = [\"x\"]\n"
                         "commands = [\"greeting\", \"EHLO\", \"STARTTLS\", \"AUTH\", \"MAIL\", "
                         "\"RCPT\", \"DATA\", \"content\"]\n"),
              "");
    const std::string said =
        complaints("[[text]]\nclass = \"SpamBlock\"\nmatch = [\"x\"]\ncommands = [\"VRFY\"]\n");
    EXPECT_TRUE(said.contains("f.toml:4")) << said;
    EXPECT_TRUE(said.contains("\"VRFY\" is no command")) << said;
}

}  // namespace
}  // namespace relay
