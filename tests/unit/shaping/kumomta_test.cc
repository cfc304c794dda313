// Whoever comes from KumoMTA brings shaping files: they load, and mean the same.
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/shaping/built_in.h"
#include "relay/shaping/kumo_options.h"
#include "relay/shaping/options.h"

namespace relay {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

const std::string kFiles = POSTHASTE_TOP "/tests/data/kumomta/";

ShapingText file(const std::string& name) {
    std::ifstream in(kFiles + name, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    EXPECT_FALSE(text.str().empty()) << name;
    return {name, text.str()};
}

Lines problems(const std::string& text) {
    const auto policy = ShapingPolicy::parse({{"s.toml", text}}, {});
    Lines lines;
    if (policy) return lines;
    for (const Problem& each : policy.error())
        lines.push_back(each.to_string());
    return lines;
}

Lines warnings(const std::string& text) {
    const auto policy = ShapingPolicy::parse({{"s.toml", text}}, {});
    Lines lines;
    if (!policy) return {"refused: " + policy.error().front().to_string()};
    for (const Problem& each : policy->warnings)
        lines.push_back(each.to_string());
    return lines;
}

class KumoFiles : public testing::Test {
  protected:
    void SetUp() override {
        auto loaded = ShapingPolicy::parse({built_in_shaping(), file("policy-extras-shaping.toml"),
                                            file("community-shaping.toml")},
                                           {});
        ASSERT_TRUE(loaded.has_value()) << loaded.error().front().to_string();
        policy = std::move(loaded->policy);
        all_warnings = std::move(loaded->warnings);
    }

    ShapingPolicy policy;
    Problems all_warnings;
};

TEST_F(KumoFiles, load_over_the_built_in_one_and_each_warning_has_a_line) {
    for (const Problem& each : all_warnings) {
        EXPECT_GT(each.line, 0) << each.to_string();
        const bool known = each.sentence.contains("automation]]") ||
                           each.sentence.contains(" has no effect") ||
                           each.sentence.contains(" is below the least of RFC 5321") ||
                           each.sentence.contains("[provider.\"gmail\"] has no match");
        EXPECT_TRUE(known) << each.to_string();
    }
}

TEST_F(KumoFiles, mean_the_same) {
    const ShapingLimits& others = policy.limits_for("x.test");
    EXPECT_EQ(others.connection_limit, 10U);
    EXPECT_EQ(others.max_connection_rate, (core::Rate{100, 1min}));
    EXPECT_EQ(others.time_limits().idle, 60s);
    EXPECT_EQ(others.time_limits().data_dot, 60s);
    EXPECT_EQ(others.tls, TlsPolicy::opportunistic);
    const auto of = [this](std::string_view provider) {
        return policy.limits_for({.table = {}, .provider = provider});
    };
    EXPECT_EQ(of("google").provider_connection_limit, 5U);
    EXPECT_EQ(of("google").tls, TlsPolicy::verify);
    EXPECT_EQ(of("163.com").tls, TlsPolicy::encrypt);
    EXPECT_EQ(of("barracuda").provider_connection_limit, 10U);
    // A final dot, which KumoMTA's files have here, means nothing.
    EXPECT_EQ(policy.provider_of("x.test", std::vector<std::string>{"mx1.netvigator.com"}),
              "netvigator");
    EXPECT_EQ(policy.limits_for("smtp.mailgun.com").connection_limit, 7000U);
    EXPECT_EQ(policy.limits_for("example.com").connection_limit, 3U);
    EXPECT_EQ(policy.place_of({.table = "comcast.net", .provider = {}}, "connection_limit").file,
              "policy-extras-shaping.toml");
}

TEST_F(KumoFiles, automation_is_kept_as_values) {
    const ShapingTable* const comcast = policy.table("comcast.net");
    ASSERT_NE(comcast, nullptr);
    ASSERT_EQ(comcast->automation.size(), 4U);  // two of the built-in file
    const AutomationRule& rate = comcast->automation[2];
    EXPECT_EQ(rate.patterns, Lines{"RL0000"});
    ASSERT_EQ(rate.actions.size(), 1U);
    EXPECT_EQ(rate.actions[0].verb, AutomationVerb::set_config);
    EXPECT_EQ(rate.actions[0].option, find_shaping_option("max_connection_rate"));
    EXPECT_EQ(rate.actions[0].value.text, "10000/h");
    EXPECT_EQ(rate.threshold, (core::Rate{2, 1h}));
    EXPECT_EQ(rate.duration, 2h);
    EXPECT_EQ(comcast->automation[3].actions[0].verb, AutomationVerb::suspend_tenant);
    EXPECT_EQ(comcast->automation[3].threshold, std::nullopt);
    EXPECT_EQ(policy.table("default")->automation[1].patterns.size(), 5U);
    EXPECT_EQ(policy.table("default")->automation[1].actions.size(), 2U);
    EXPECT_EQ(policy.provider("yahoo")->automation.size(), 15U);
}

TEST(KumoOptions, each_that_has_no_effect_is_a_warning_with_its_line) {
    using Form = KumoOption::Form;
    for (const KumoOption& option : kumo_options()) {
        std::string value = "\"x\"";
        if (option.form == Form::number || option.form == Form::limit) value = "7";
        if (option.form == Form::flag) value = option.same == "true" ? "false" : "true";
        if (option.form == Form::time) value = "\"3 days\"";
        if (option.form == Form::rate) value = "\"100/day,max_burst=1\"";
        if (option.form == Form::list) value = "[\"10.0.0.0/8\"]";
        if (option.form == Form::limits) value = "{\"a\"=\"local:5\", \"b\"=6}";
        if (option.form == Form::rates) value = "{\"a\"=\"5/s\"}";
        const std::string name(option.name);
        EXPECT_EQ(warnings("[default]\n" + name + " = " + value + "\n"),
                  Lines{"s.toml:2: [\"default\"] " + name +
                        " has no effect: " + std::string(option.instead)});
        const Lines wrong = problems("[default]\n" + name + " = 1.5\n");
        ASSERT_EQ(wrong.size(), 1U) << name;
        EXPECT_TRUE(wrong[0].starts_with("s.toml:2: [\"default\"] " + name + " must be "))
            << wrong[0];
        if (option.same.empty()) continue;
        EXPECT_EQ(warnings("[default]\n" + name + " = " + std::string(option.same) + "\n"),
                  Lines{});
    }
}

TEST(KumoOptions, those_that_there_are_have_their_effect) {
    const auto loaded =
        ShapingPolicy::parse({{"s.toml",
                               "[\"a.example\"]\nsmtp_port = 2525\nehlo_domain = \"out.example\"\n"
                               "enable_mta_sts = false\nenable_dane = false\n"
                               "max_message_rate = \"local:10/5m,max_burst=3\"\n"}},
                             {});
    ASSERT_TRUE(loaded.has_value());
    const ShapingLimits& limits = loaded->policy.limits_for("a.example");
    EXPECT_EQ(limits.smtp_port, 2525U);
    ASSERT_NE(limits.ehlo_domain, nullptr);
    EXPECT_EQ(*limits.ehlo_domain, "out.example");
    EXPECT_FALSE(limits.enable_mta_sts);
    EXPECT_FALSE(limits.enable_dane);
    EXPECT_EQ(limits.max_message_rate, (core::Rate{10, 5min}));
    EXPECT_EQ(loaded->warnings.size(), 1U);  // of max_burst
    EXPECT_EQ(find_shaping_option("max_message_rate")->write(limits), "\"10/5m\"");
}

TEST(ShapingMistakes, of_providers_have_sentences_with_their_lines) {
    EXPECT_EQ(problems("[provider.\"p\"]\nmatch = [{MXSufix=\".example\"}]\n"),
              Lines{"s.toml:2: [provider.\"p\"] match must have {MXSuffix=\"…\"}, {HostName=\"…\"} "
                    "or {DomainSuffix=\"…\"}, not \"MXSufix\""});
    EXPECT_EQ(problems("[provider.\"p\"]\nmatch = \".example\"\n"),
              Lines{"s.toml:2: [provider.\"p\"] match must be a list such as "
                    "[{MXSuffix=\".example.com\"}]"});
    EXPECT_EQ(problems("[provider.\"p\"]\nmatch = [{HostName=\"\"}]\n"),
              Lines{"s.toml:2: [provider.\"p\"] match HostName must be a name or the end of one, "
                    "such as \".example.com\""});
    EXPECT_EQ(problems("[provider]\np = 1\n"),
              Lines{"s.toml:2: [provider] \"p\" must be a table: [provider.\"NAME\"]"});
    EXPECT_EQ(problems("provider = 1\n").size(), 1U);
    EXPECT_EQ(problems("[provider.\"\"]\n").size(), 1U);
    EXPECT_EQ(
        problems("[provider.\"p\"]\nmatch=[{MXSuffix=\".a\"}]\nprovider_connection_limit = 0\n"),
        Lines{"s.toml:3: [provider.\"p\"] provider_connection_limit must be an integer from 1 "
              "to 100000"});
    EXPECT_EQ(
        problems("[\"a.example\"]\nprovider_connection_limit = 5\n"),
        Lines{"s.toml:2: [\"a.example\"] provider_connection_limit belongs to a provider: put "
              "it into [provider.\"NAME\"]"});
    EXPECT_EQ(problems("[\"a.example\"]\nmatch = []\n"),
              Lines{"s.toml:2: [\"a.example\"] has no option \"match\"; it belongs to "
                    "[provider.\"NAME\"]"});
}

TEST(ShapingMistakes, of_rates_ports_and_names_have_sentences_with_their_lines) {
    EXPECT_EQ(problems("[default]\nmax_message_rate = \"5/s,burst=1\"\n"),
              Lines{"s.toml:2: [\"default\"] max_message_rate must be a rate: \"5/s,burst=1\" may "
                    "have \",max_burst=N\" after the period, and nothing else"});
    EXPECT_EQ(
        problems("[default]\nmax_message_rate = \"5/0s\"\n"),
        Lines{"s.toml:2: [\"default\"] max_message_rate must be a rate: \"5/0s\" must have 1 to "
              "1000 periods after the slash"});
    EXPECT_EQ(problems("[default]\nsmtp_port = 65536\n"),
              Lines{"s.toml:2: [\"default\"] smtp_port must be an integer from 1 to 65535"});
    EXPECT_EQ(
        problems("[default]\nehlo_domain = \"a b\"\n"),
        Lines{"s.toml:2: [\"default\"] ehlo_domain must be the name of a host: letters, digits, "
              "hyphens and dots"});
    EXPECT_EQ(problems("[example.com]\nconnection_limit = 5\n"),
              Lines{"s.toml:1: [\"example\"] has no option \"com\"; a domain stands in quotes: "
                    "[\"example.com\"]"});
    EXPECT_EQ(problems("[\"a.example\"]\nsources = 1\n"),
              Lines{"s.toml:2: [\"a.example\"] sources must be tables: "
                    "[\"a.example\".sources.\"NAME\"]"});
    EXPECT_EQ(
        problems("[\"a.example\".sources.\"ip-1\"]\nconection_limit = 1\n"),
        Lines{"s.toml:2: [\"a.example\".sources.\"ip-1\"] has no option \"conection_limit\"; is "
              "\"connection_limit\" meant?"});
}

TEST(ShapingMistakes, of_automation_have_sentences_with_their_lines) {
    const std::string head = "[[\"a.example\".automation]]\n";
    const std::string name = "[[\"a.example\".automation]] ";
    const std::string good = "regex=\"x\"\naction=\"Suspend\"\n";
    EXPECT_EQ(problems(head), (Lines{"s.toml:1: " + name + "action is missing",
                                     "s.toml:1: " + name + "duration is missing",
                                     "s.toml:1: " + name + "regex is missing"}));
    EXPECT_EQ(problems(head + good + "duration=\"soon\"\n"),
              Lines{"s.toml:4: " + name + "duration must be a time such as \"1h\""});
    EXPECT_EQ(problems(head + "regex=\"(\"\naction=\"Suspend\"\nduration=\"1h\"\n"),
              Lines{"s.toml:2: " + name + "regex: \"(\" is no pattern: missing ): ("});
    const Lines action = problems(head + "regex=\"x\"\naction=\"Suspnd\"\nduration=\"1h\"\n");
    ASSERT_EQ(action.size(), 1U);
    EXPECT_TRUE(action[0].starts_with("s.toml:3: " + name + "action must be one of \"Suspend\""));
    EXPECT_EQ(
        problems(head + good + "duration=\"1h\"\ntrigger=\"Later\"\n"),
        Lines{"s.toml:5: " + name + "trigger must be \"Immediate\" or {Threshold=\"N/period\"}"});
    EXPECT_EQ(
        problems(head + good + "duration=\"1h\"\ntriger=\"Immediate\"\n"),
        Lines{"s.toml:5: " + name + "there is no \"triger\" in a rule; is \"trigger\" meant?"});
    EXPECT_EQ(
        problems(head + "regex=\"x\"\naction={SetConfig={name=\"connection_limit\",value=0}}\n"
                        "duration=\"1h\"\n"),
        Lines{"s.toml:3: " + name + "connection_limit must be an integer from 1 to 100000"});
    EXPECT_EQ(problems(head + "regex=\"x\"\naction={SetConfig={name=\"colour\",value=0}}\n"
                              "duration=\"1h\"\n"),
              Lines{"s.toml:3: " + name + "there is no option \"colour\" to set"});
    EXPECT_EQ(problems("[\"a.example\"]\nautomation = 1\n").size(), 1U);
    const Lines foreign = warnings(head + "regex=\"(?!x)\"\naction=\"Bounce\"\nduration=\"1h\"\n");
    ASSERT_EQ(foreign.size(), 1U);
    EXPECT_TRUE(foreign[0].contains("needs more than RE2 has")) << foreign[0];
    EXPECT_EQ(
        problems(head + "regex=\"x\"\naction={PosthasteReduce={factor=1.5}}\nduration=\"1h\"\n"),
        Lines{"s.toml:3: " + name + "PosthasteReduce must be {factor=F}, with F from 0.1 to 0.9"});
    EXPECT_EQ(
        problems(head + "regex=\"x\"\naction={SetConfig={name=\"provider_connection_limit\", "
                        "value=1}}\nduration=\"1h\"\n"),
        Lines{"s.toml:1: " + name + "sets provider_connection_limit, which belongs to a provider"});
    EXPECT_EQ(
        warnings("[[default.automation]]\nregex=\"x\"\nduration=\"1h\"\naction={SetDomainConfig={"
                 "name=\"connection_limit\", value=1}}\n"),
        Lines{"s.toml:1: [[\"default\".automation]] SetDomainConfig sets the option for the whole "
              "site, not for one of its domains"});
}

}  // namespace
}  // namespace relay
