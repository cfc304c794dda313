// Real refusals (tests/unit/bounce/data/replies.txt) through the built-in rules, and KumoMTA's own
// rule files through the same reader.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <re2/re2.h>

#include "core/base/text_file.h"
#include "relay/bounce/rules.h"
#include "relay/smtp/reply_parser.h"

namespace relay {
namespace {

struct Real {
    std::string wanted;  // class
    std::uint16_t code = 0;
    EnhancedCode enhanced;
    std::string host;
    std::string text;
};

std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> parts;
    std::size_t at = 0;
    for (int i = 0; i < 4; ++i) {
        const std::size_t bar = line.find('|', at);
        parts.push_back(line.substr(at, bar - at));
        at = bar + 1;
    }
    parts.push_back(line.substr(at));
    return parts;
}

std::vector<Real> real_replies() {
    std::vector<Real> all;
    std::ifstream in(std::filesystem::path(POSTHASTE_BOUNCE_TEST_DATA) / "replies.txt");
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line.front() == '#') continue;
        const auto parts = split(line);
        Real real;
        real.wanted = parts[0];
        real.code = static_cast<std::uint16_t>(std::atoi(parts[1].c_str()));
        real.enhanced = parse_enhanced_code(parts[2]);
        real.host = parts[3];
        real.text = parts[4];
        all.push_back(std::move(real));
    }
    return all;
}

TEST(RealReplies, have_their_classes) {
    const auto rules = BounceRules::built_in();
    const auto all = real_replies();
    ASSERT_GE(all.size(), 100U);
    for (const Real& each : all) {
        const auto verdict = rules->classify({{each.code, each.enhanced, each.text}, each.host});
        EXPECT_EQ(verdict.name, each.wanted) << each.code << " " << each.host << " " << each.text;
        if (each.code < 500) EXPECT_FALSE(verdict.suppress) << each.text;
    }
}

// Which text rule decides must be what trying one after the other says.
TEST(RealReplies, kumo_mtas_files_load_and_decide_as_there) {
    const auto folder = std::filesystem::path(POSTHASTE_BOUNCE_TEST_DATA) / "kumomta";
    std::vector<BounceText> files;
    for (const auto* name : {"community-bounces.toml", "bounce_classifier-iana.toml"}) {
        auto text = core::read_text_file(folder / name, core::kMostTomlOctets);
        ASSERT_TRUE(text.has_value()) << text.error();
        files.push_back({name, std::move(*text)});
    }
    const auto rules = BounceRules::parse_only(files);
    ASSERT_TRUE(rules.has_value()) << rules.error()[0].to_string();
    EXPECT_GT((*rules)->patterns(), 130U);

    RuleReader reader;
    for (const BounceText& each : files)
        reader.file(each);
    ASSERT_TRUE(reader.problems.empty());
    RE2::Options latin1;
    latin1.set_encoding(RE2::Options::EncodingLatin1);
    for (const Real& each : real_replies()) {
        const BounceReply reply{{each.code, each.enhanced, each.text}, each.host};
        std::string expected = "Uncategorized";
        for (const TextRule& rule : reader.tables.text) {
            if (!RE2::PartialMatch(bounce_line(reply), RE2(rule.pattern, latin1))) continue;
            expected = reader.tables.classes[rule.klass].name;
            break;
        }
        EXPECT_EQ((*rules)->classify(reply).name, expected) << bounce_line(reply);
    }
    const auto verdict = (*rules)->classify({{552, {5, 2, 2}, "mailbox is stuffed"}, ""});
    EXPECT_EQ(verdict.name, "QuotaIssues");
    EXPECT_EQ((*rules)->classify({{525, {4, 7, 13}, "user account is disabled"}, ""}).name,
              "InactiveMailbox");
    EXPECT_EQ((*rules)->classify({{551, {4, 7, 18}, "domain owner has changed"}, ""}).name,
              "BadDomain");
}

}  // namespace
}  // namespace relay
