#include "relay/automation/reply_rules.h"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/shaping/built_in.h"

namespace relay {
namespace {

using namespace std::chrono_literals;

const std::string kFiles = POSTHASTE_TOP "/tests/data/kumomta/";

ShapingText file(const std::string& name) {
    std::ifstream in(kFiles + name, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    EXPECT_FALSE(text.str().empty()) << name;
    return {name, text.str()};
}

std::shared_ptr<const ReplyRules> rules_of(const std::vector<ShapingText>& texts) {
    const auto loaded = ShapingPolicy::parse(texts, {});
    EXPECT_TRUE(loaded.has_value()) << loaded.error().front().to_string();
    auto rules = ReplyRules::compile(loaded->policy);
    EXPECT_TRUE(rules.has_value());
    return *rules;
}

std::shared_ptr<const ReplyRules> rules_of(const std::string& text) {
    return rules_of({ShapingText{"s.toml", text}});
}

Disposition said(std::uint16_t code, EnhancedCode enhanced, const std::string& text) {
    Disposition result;
    result.outcome = code < 500 ? Outcome::deferred : Outcome::bounced;
    result.reply = {code, enhanced, text};
    return result;
}

std::string rule(const std::string& table, const std::string& pattern,
                 const std::string& action = "\"Suspend\"") {
    return "[[" + table + ".automation]]\nregex = '" + pattern + "'\naction = " + action +
           "\nduration = \"1h\"\n";
}

std::vector<std::string> places(const std::vector<const ReplyRule*>& rules) {
    std::vector<std::string> all;
    for (const ReplyRule* each : rules)
        all.push_back(each->place);
    return all;
}

using Places = std::vector<std::string>;

TEST(ReplyRules, a_path_has_those_of_the_default_its_provider_and_its_domain) {
    const auto rules =
        rules_of(rule("default", "slow") + "[provider.p]\nmatch = [{MXSuffix=\".p.example\"}]\n" +
                 rule("provider.p", "slow") + rule("\"a.example\"", "slow"));
    const Disposition slow = said(421, {4, 7, 0}, "slow down");
    const auto of = [&](std::string_view table, std::string_view provider) {
        return places(rules->of({.table = table, .provider = provider}).match(slow));
    };
    EXPECT_EQ(of("", ""), Places{"s.toml:1"});
    EXPECT_EQ(of("", "p"), (Places{"s.toml:1", "s.toml:7"}));
    EXPECT_EQ(of("A.example.", ""), (Places{"s.toml:1", "s.toml:11"}));
    EXPECT_EQ(of("b.example", "q"), Places{"s.toml:1"});
    EXPECT_TRUE(rules->of({.table = {}, .provider = "p"}).provider->rules()[0].of_provider);
}

TEST(ReplyRules, a_path_without_rules_has_nothing_to_ask) {
    const auto rules = rules_of(rule("\"a.example\"", "slow"));
    EXPECT_TRUE(rules->of({.table = "b.example", .provider = {}}).empty());
    EXPECT_FALSE(rules->of({.table = "a.example", .provider = {}}).empty());
    EXPECT_TRUE(rules_of("")->of({}).empty());
}

TEST(ReplyRules, a_pattern_sees_code_enhanced_code_and_text_in_one_line) {
    const auto rules = rules_of(rule("default", "^421 4\\.7\\.0 \\[TS01\\] first second$"));
    const auto of = rules->of({});
    EXPECT_EQ(of.match(said(421, {4, 7, 0}, "[TS01] first\nsecond")).size(), 1U);
    EXPECT_EQ(of.match(said(421, {4, 7, 1}, "[TS01] first\nsecond")).size(), 0U);
}

TEST(ReplyRules, a_rule_with_several_patterns_counts_once) {
    const auto rules = rules_of(
        "[[default.automation]]\nregex = [\"slow\", \"down\"]\naction = [\"Suspend\", "
        "\"SuspendTenant\"]\nduration = \"1h\"\n");
    const auto found = rules->of({}).match(said(450, {}, "slow down"));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0]->actions.size(), 2U);
}

TEST(ReplyRules, our_own_words_match_where_match_internal_says_so) {
    const auto rules = rules_of(rule("default", "timed out") + rule("default", "timed") +
                                "match_internal = true\n");
    Disposition ours = said(451, {4, 4, 1}, "timed out");
    ours.local = true;
    EXPECT_EQ(places(rules->of({}).match(ours)), Places{"s.toml:5"});
    ours.local = false;
    EXPECT_EQ(rules->of({}).match(ours).size(), 2U);
}

TEST(ReplyRules, a_rule_that_two_files_have_counts_once_as_the_later_one_says) {
    const std::string text = rule("default", "slow");
    const auto rules = rules_of({ShapingText{"one.toml", text},
                                 ShapingText{"two.toml", "\n" + text + "match_internal = true\n"}});
    const auto found = rules->of({}).match(said(421, {}, "slow"));
    EXPECT_EQ(places(found), Places{"two.toml:2"});
    EXPECT_TRUE(found.at(0)->match_internal);
}

TEST(ReplyRules, what_is_no_refusal_matches_nothing) {
    const auto rules = rules_of(rule("default", ".*"));
    EXPECT_EQ(rules->of({}).match(said(250, {2, 0, 0}, "ok")).size(), 0U);
    EXPECT_EQ(rules->of({}).match(said(0, {}, "")).size(), 0U);
}

TEST(ReplyRules, patterns_that_need_too_much_memory_are_refused) {
    std::string text;
    for (int i = 0; i < 300; ++i)
        text += rule("\"d" + std::to_string(i) + ".example\"", "x");
    std::string big;
    for (int i = 0; i < 20; ++i)
        big += "a{1000}";
    text += rule("\"big.example\"", big);
    const auto loaded = ShapingPolicy::parse({{"s.toml", text}}, {});
    ASSERT_TRUE(loaded.has_value()) << loaded.error().front().to_string();
    const auto rules = ReplyRules::compile(loaded->policy);
    ASSERT_FALSE(rules.has_value());
    EXPECT_EQ(rules.error().front().to_string(),
              "s.toml:1201: the patterns of automation of \"big.example\" together need too much "
              "memory");
}

TEST(ReplyRules, hostile_text_costs_time_in_proportion_to_its_length) {
    const auto rules =
        rules_of(rule("default", "(a+)+(a|b)*.*(x+x+)+y") + rule("default", "(.*)*\\d{1,50}$"));
    Disposition hostile = said(421, {}, std::string(8192, 'a'));
    for (int i = 0; i < 1000; ++i) {
        hostile.reply.text[static_cast<std::size_t>(i)] = 'x';
        EXPECT_EQ(rules->of({}).match(hostile).size(), 0U);
    }
    for (char& c : hostile.reply.text)
        c = static_cast<char>(&c - hostile.reply.text.data());
    EXPECT_EQ(rules->of({}).match(hostile).size(), 0U);
}

TEST(ReplyRules, an_option_is_set_as_the_file_would_set_it) {
    const auto rules = rules_of(
        rule("default", "slow", "{SetConfig={name=\"max_message_rate\", value=\"1/minute\"}}"));
    const auto found = rules->of({}).match(said(421, {}, "slow"));
    ASSERT_EQ(found.size(), 1U);
    ShapingLimits limits;
    found[0]->actions.at(0).set(limits);
    EXPECT_EQ(limits.max_message_rate, (core::Rate{1, 1min}));
    EXPECT_EQ(found[0]->actions[0].value, "\"1/minute\"");
}

TEST(ReplyRules, our_own_action_has_a_factor) {
    const auto rules = rules_of(rule("default", "a", "\"PosthasteReduce\"") +
                                rule("default", "b", "{PosthasteReduce={factor=0.8}}"));
    const auto of = rules->of({});
    EXPECT_EQ(of.match(said(421, {}, "a")).at(0)->actions.at(0).factor, 0.5);
    EXPECT_EQ(of.match(said(421, {}, "b")).at(0)->actions.at(0).factor, 0.8);
}

TEST(ReplyRules, a_rule_is_known_again_wherever_it_stands) {
    const auto once = rules_of(rule("default", "a"));
    const auto moved = rules_of("\n\n" + rule("default", "z") + rule("default", "a"));
    const auto other =
        rules_of(rule("default", "a", "\"SuspendTenant\"") + "match_internal = true\n");
    const Disposition a = said(421, {}, "a");
    const std::uint64_t id = once->of({}).match(a).at(0)->id;
    EXPECT_EQ(moved->of({}).match(a).at(0)->id, id);
    EXPECT_NE(moved->of({}).match(said(421, {}, "z")).at(0)->id, id);
    EXPECT_NE(other->of({}).match(a).at(0)->id, id);
}

TEST(ReplyRules, those_of_kumomta_are_found_by_real_replies) {
    const auto rules = rules_of(
        {built_in_shaping(), file("policy-extras-shaping.toml"), file("community-shaping.toml")});
    const auto yahoo = rules->of({.table = {}, .provider = "yahoo"});
    const auto found = yahoo.match(said(
        421, {4, 7, 0},
        "[TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user "
        "complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes"));
    ASSERT_FALSE(found.empty());
    EXPECT_TRUE(std::ranges::any_of(found, [](const ReplyRule* each) {
        return each->place.starts_with("community-shaping.toml:") && each->duration == 2h;
    }));
}

// What the built-in file does about what providers say.
struct Said {
    const char* of;  // a provider, or a domain
    std::uint16_t code;
    EnhancedCode enhanced;
    const char* text;
    AutomationVerb verb;
    const char* value;  // of the option
    core::Duration duration;
};

const Said kSaid[] = {
    {"google",
     421,
     {4, 7, 28},
     "Gmail has detected an unusual rate of unsolicited mail originating from your IP address.",
     AutomationVerb::set_config,
     "\"10/min\"",
     30min},
    {"google",
     421,
     {4, 7, 0},
     "[192.0.2.1 15] Our system has detected that this message is suspicious",
     AutomationVerb::suspend,
     "",
     1h},
    {"yahoo",
     421,
     {4, 7, 0},
     "[TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user "
     "complaints - 4.16.55.1",
     AutomationVerb::suspend,
     "",
     2h},
    {"yahoo",
     421,
     {4, 7, 0},
     "[TSS05] Messages from 192.0.2.1 temporarily deferred",
     AutomationVerb::suspend,
     "",
     4h},
    {"yahoo",
     421,
     {4, 7, 1},
     "[TS03] All messages from 192.0.2.1 will be permanently deferred",
     AutomationVerb::set_config,
     "\"10/min\"",
     30min},
    {"yahoo",
     553,
     {5, 7, 1},
     "[BL21] Connections will not be accepted from 192.0.2.1",
     AutomationVerb::suspend,
     "",
     2h},
    {"outlook",
     451,
     {4, 7, 650},
     "The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation. (S775)",
     AutomationVerb::set_config,
     "\"1/min\"",
     90min},
    {"office365",
     451,
     {4, 7, 500},
     "Server busy. Please try again later from [192.0.2.1]. (S77714)",
     AutomationVerb::set_config,
     "\"1/min\"",
     15min},
    {"outlook",
     550,
     {5, 7, 1},
     "Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service "
     "provider since part of their network is on our block list (S3140).",
     AutomationVerb::suspend,
     "",
     2h},
    {"office365",
     550,
     {5, 7, 606},
     "Access denied, banned sending IP [192.0.2.1]",
     AutomationVerb::suspend,
     "",
     2h},
    {"apple",
     421,
     {4, 7, 1},
     "Messages to user@icloud.com deferred due to excessive volume.",
     AutomationVerb::suspend,
     "",
     15min},
    {"mimecast",
     451,
     {},
     "Internal resources are temporarily unavailable",
     AutomationVerb::suspend,
     "",
     30min},
    {"orange",
     421,
     {},
     "mwinf5c04 ME Trop de connexions, veuillez verifier votre configuration.",
     AutomationVerb::set_config,
     "1",
     1h},
    {"gmx.net_web.de",
     421,
     {},
     "Rate limit reached. Please try again later.",
     AutomationVerb::set_config,
     "1",
     30min},
    {"qq.com",
     550,
     {},
     "Ip frequency limited. http://service.mail.qq.com",
     AutomationVerb::suspend,
     "",
     1h},
    {"163.com", 451, {}, "DT:SPM 163 smtp5", AutomationVerb::suspend, "", 15min},
    {"comcast.net",
     421,
     {4, 1, 0},
     "192.0.2.1 Throttled - RL000001",
     AutomationVerb::set_config,
     "\"10000/h\"",
     2h},
    {"yahoo.co.jp", 421, {}, "VS98-IP0 deferred", AutomationVerb::suspend, "", 1h},
    {"",
     450,
     {4, 7, 1},
     "Error: too many messages from 192.0.2.1",
     AutomationVerb::reduce,
     "",
     30min},
};

TEST(BuiltInRules, say_what_is_done_about_what_providers_say) {
    const auto rules = rules_of(std::vector<ShapingText>{built_in_shaping()});
    for (const Said& each : kSaid) {
        const std::string of = each.of;
        const bool domain = of == "comcast.net" || of == "yahoo.co.jp";
        const auto found = rules->of({.table = domain ? of : "", .provider = domain ? "" : of})
                               .match(said(each.code, each.enhanced, each.text));
        const auto does = [&each](const ReplyRule* rule) {
            return rule->duration == each.duration && rule->actions.at(0).verb == each.verb &&
                   rule->actions[0].value == each.value;
        };
        EXPECT_TRUE(std::ranges::any_of(found, does)) << each.of << ": " << each.text;
    }
}

TEST(BuiltInRules, let_ordinary_refusals_pass) {
    const auto rules = rules_of(std::vector<ShapingText>{built_in_shaping()});
    const Disposition ordinary[] = {
        said(550, {5, 1, 1}, "The email account that you tried to reach does not exist."),
        said(450, {4, 2, 0}, "Greylisted, please try again in 300 seconds"),
        said(452, {4, 2, 2}, "The recipient's inbox is out of storage space."),
        said(421, {4, 3, 0}, "Temporary System Problem. Try again later"),
        said(451, {4, 7, 1}, "try again later"),
        said(554, {5, 7, 1}, "Message rejected as spam"),
    };
    for (const char* provider :
         {"", "google", "yahoo", "outlook", "office365", "apple", "orange"}) {
        for (const Disposition& one : ordinary) {
            EXPECT_EQ(rules->of({.table = {}, .provider = provider}).match(one).size(), 0U)
                << provider << ": " << one.reply.text;
        }
    }
}

}  // namespace
}  // namespace relay
