#include "relay/shaping/automation.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <re2/re2.h>

#include "core/base/spelling.h"
#include "relay/shaping/kumo_options.h"
#include "relay/shaping/options.h"
#include "relay/shaping/throttle.h"

namespace relay {
namespace {

using core::TomlMember;
using core::TomlValue;
using Kind = TomlValue::Kind;

// KumoMTA will hardly call one of its own so.
constexpr std::string_view kReduce = "PosthasteReduce";
constexpr std::array<std::pair<std::string_view, AutomationVerb>, 7> kWords{
    {{"Suspend", AutomationVerb::suspend},
     {"SuspendTenant", AutomationVerb::suspend_tenant},
     {"SuspendCampaign", AutomationVerb::suspend_campaign},
     {"Bounce", AutomationVerb::bounce},
     {"BounceTenant", AutomationVerb::bounce_tenant},
     {"BounceCampaign", AutomationVerb::bounce_campaign},
     {kReduce, AutomationVerb::reduce}}};
constexpr std::array<std::string_view, 5> kKeys{"regex", "action", "trigger", "duration",
                                                "match_internal"};
constexpr std::size_t kMostPatternOctets = 1000;
constexpr int kLeastPercent = 10;  // of a factor
constexpr int kMostPercent = 90;

class Reading {
  public:
    void table(const TomlValue& table);
    ReadAutomation result;

  private:
    void wrong(int line, std::string sentence) {
        result.wrong.push_back({line, std::move(sentence)});
    }
    void patterns(const TomlValue& value);
    void pattern(const TomlValue& value);
    void actions(const TomlValue& value);
    void action(const TomlValue& value);
    void set_config(const TomlMember& member, AutomationVerb verb);
    void reduce(const TomlMember& member);
    void trigger(const TomlValue& value);
    void duration(const TomlValue& value);
};

void Reading::table(const TomlValue& table) {
    for (const TomlMember& member : table.members) {
        if (member.key == "regex") {
            patterns(member.value);
        } else if (member.key == "action") {
            actions(member.value);
        } else if (member.key == "trigger") {
            trigger(member.value);
        } else if (member.key == "duration") {
            duration(member.value);
        } else if (member.key == "match_internal") {
            if (member.value.kind != Kind::boolean) {
                wrong(member.line, "match_internal must be true or false");
            }
            result.rule.match_internal = member.value.boolean;
        } else {
            std::string sentence = "there is no \"" + member.key.substr(0, 80) + "\" in a rule";
            const std::string_view guess = core::nearest(member.key, kKeys);
            if (!guess.empty()) sentence.append("; is \"").append(guess).append("\" meant?");
            wrong(member.line, std::move(sentence));
        }
    }
    for (const std::string_view needed : {"regex", "action", "duration"}) {
        if (table.find(needed) == nullptr) wrong(table.line, std::string(needed) + " is missing");
    }
}

void Reading::patterns(const TomlValue& value) {
    if (value.kind == Kind::array && !value.items.empty()) {
        for (const TomlValue& item : value.items)
            pattern(item);
    } else {
        pattern(value);
    }
}

void Reading::pattern(const TomlValue& value) {
    if (value.kind != Kind::text) {
        return wrong(value.line, "regex must be a pattern in quotes, or a list of them");
    }
    if (value.text.empty() || value.text.size() > kMostPatternOctets) {
        return wrong(value.line, "regex must have 1 to 1000 octets");
    }
    RE2::Options options;
    options.set_log_errors(false);
    const RE2 compiled(value.text, options);
    // What KumoMTA's engine has and RE2 has not: look-around, and references to groups.
    const bool foreign = compiled.error_code() == RE2::ErrorBadPerlOp ||
                         compiled.error_code() == RE2::ErrorBadEscape;
    if (foreign) {
        result.warnings.push_back({value.line, "regex: \"" + value.text.substr(0, 80) +
                                                   "\" needs more than RE2 has (" +
                                                   compiled.error() + ")"});
    } else if (!compiled.ok()) {
        return wrong(value.line, "regex: \"" + value.text.substr(0, 80) +
                                     "\" is no pattern: " + compiled.error());
    }
    result.rule.patterns.push_back(value.text);
}

void Reading::actions(const TomlValue& value) {
    if (value.kind == Kind::array && !value.items.empty()) {
        for (const TomlValue& item : value.items)
            action(item);
    } else {
        action(value);
    }
}

void Reading::action(const TomlValue& value) {
    if (value.kind == Kind::text) {
        for (const auto& [word, verb] : kWords) {
            if (value.text != word) continue;
            result.rule.actions.push_back({.verb = verb});
            return;
        }
    }
    if (value.kind == Kind::table && value.members.size() == 1) {
        const TomlMember& only = value.members.front();
        if (only.key == "SetConfig") return set_config(only, AutomationVerb::set_config);
        if (only.key == "SetDomainConfig") {
            return set_config(only, AutomationVerb::set_domain_config);
        }
        if (only.key == kReduce) return reduce(only);
    }
    std::string all;
    for (const auto& [word, verb] : kWords)
        all.append("\"").append(word).append("\", ");
    wrong(value.line, "action must be one of " + all +
                          "{PosthasteReduce={factor=…}}, {SetConfig={name=\"…\", value=…}} or "
                          "SetDomainConfig, or a "
                          "list of them");
}

void Reading::set_config(const TomlMember& member, AutomationVerb verb) {
    const TomlMember* const name = member.value.find("name");
    const TomlMember* const value = member.value.find("value");
    if (name == nullptr || name->value.kind != Kind::text || value == nullptr ||
        member.value.members.size() != 2) {
        return wrong(member.line, member.key + " must be {name=\"OPTION\", value=…}");
    }
    const ShapingOption* const option = find_shaping_option(name->value.text);
    if (option == nullptr) {
        if (find_kumo_option(name->value.text) == nullptr) {
            return wrong(name->line,
                         "there is no option \"" + name->value.text.substr(0, 80) + "\" to set");
        }
    } else if (const ReadLimit read = option->read(value->value); !read.wrong.empty()) {
        return wrong(value->line, name->value.text + " must be " + read.wrong);
    }
    result.rule.actions.push_back({verb, option, value->value});
}

void Reading::reduce(const TomlMember& member) {
    const TomlMember* const factor = member.value.find("factor");
    const double part = factor == nullptr ? 0 : factor->value.real;
    if (member.value.members.size() != 1 || part * 100 < kLeastPercent ||
        part * 100 > kMostPercent) {
        return wrong(member.line, "PosthasteReduce must be {factor=F}, with F from 0.1 to 0.9");
    }
    result.rule.actions.push_back({.verb = AutomationVerb::reduce, .factor = part});
}

void Reading::trigger(const TomlValue& value) {
    if (value.kind == Kind::text && value.text == "Immediate") return;
    const TomlMember* const threshold = value.find("Threshold");
    if (threshold == nullptr || threshold->value.kind != Kind::text || value.members.size() != 1) {
        return wrong(value.line, "trigger must be \"Immediate\" or {Threshold=\"N/period\"}");
    }
    const auto rate = parse_throttle(threshold->value.text);
    if (!rate) return wrong(threshold->line, "trigger Threshold must be a rate: " + rate.error());
    result.rule.threshold = rate->rate;
}

void Reading::duration(const TomlValue& value) {
    const auto time = value.kind == Kind::text ? core::parse_duration(value.text)
                                               : core::Result<core::Duration>(core::failure(""));
    if (!time || *time <= core::Duration{}) {
        return wrong(value.line, "duration must be a time such as \"1h\"");
    }
    result.rule.duration = *time;
}

}  // namespace

std::string_view to_string(AutomationVerb verb) {
    constexpr std::array<std::string_view, kAutomationVerbs> kNames{
        "suspend", "suspend_tenant", "suspend_campaign", "set_config", "set_domain_config",
        "bounce",  "bounce_tenant",  "bounce_campaign",  "reduce"};
    return kNames[static_cast<std::size_t>(verb)];
}

ReadAutomation read_automation(const TomlValue& table) {
    Reading reading;
    reading.table(table);
    reading.result.rule.line = table.line;
    return std::move(reading.result);
}

}  // namespace relay
