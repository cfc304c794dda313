#include "relay/bounce/rule_reader.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/spelling.h"
#include "relay/bounce/asked.h"

namespace relay {
namespace {

using core::TomlMember;
using core::TomlValue;
using Kind = TomlValue::Kind;

std::string quoted(std::string_view text) {
    return "\"" + std::string(text.substr(0, 80)) + "\"";
}

// A number of an enhanced code, or x for any.
std::optional<std::uint16_t> number_or_any(std::string_view text) {
    if (text == "x") return kAnyNumber;
    if (text.empty() || text.size() > 3) return std::nullopt;
    unsigned value = 0;
    for (const char c : text) {
        if (!core::is_digit(c)) return std::nullopt;
        value = value * 10 + static_cast<unsigned>(c - '0');
    }
    return static_cast<std::uint16_t>(value);
}

// "5.1.1", "x.1.1" or "x.7.x".
std::optional<EnhancedKey> enhanced_key(std::string_view text) {
    const std::size_t first = text.find('.');
    const std::size_t second =
        first == std::string_view::npos ? std::string_view::npos : text.find('.', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    const auto klass = number_or_any(text.substr(0, first));
    const auto subject = number_or_any(text.substr(first + 1, second - first - 1));
    const auto detail = number_or_any(text.substr(second + 1));
    if (!klass || !subject || !detail) return std::nullopt;
    if (*klass != kAnyNumber && *klass != 4 && *klass != 5) return std::nullopt;
    return EnhancedKey{*klass, *subject, *detail};
}

bool is_code(std::string_view text) {
    if (text == "4xx" || text == "5xx") return true;
    return text.size() == 3 && (text[0] == '4' || text[0] == '5') && core::is_digit(text[1]) &&
           core::is_digit(text[2]);
}

}  // namespace

RuleReader::RuleReader() {
    for (const BounceClassFacts& each : kBounceClasses) {
        by_name_.emplace(each.name, static_cast<BounceClassIndex>(tables.classes.size()));
        tables.classes.push_back({std::string(each.name), each.nature, each.suppress, false});
    }
    tables.hosts.emplace_back();
}

void RuleReader::problem(int line, std::string sentence) {
    problems.push_back({source_->file, line, std::move(sentence)});
}

void RuleReader::file(const BounceText& source) {
    source_ = &source;
    const std::size_t before = problems.size();
    const std::size_t rules_before = tables.text.size();
    const auto root = core::parse_toml(source.text);
    if (!root) return problem(root.error().line, root.error().sentence);
    if (const TomlMember* own = root->find("class")) classes(own->value);
    for (const TomlMember& member : root->members) {
        const bool array = member.key == "text" || member.key == "vague";
        if (member.value.kind != (array ? Kind::array : Kind::table)) {
            problem(member.line,
                    quoted(member.key) + (array ? " must be an array" : " must be a table"));
        } else if (member.key == "rules") {
            kumo_rules(member.value);
        } else if (member.key == "text") {
            text_rules(member.value);
        } else if (member.key == "enhanced") {
            enhanced(member.value);
        } else if (member.key == "code") {
            codes(member.value);
        } else if (member.key == "vague") {
            vague(member.value);
        } else if (member.key != "class") {
            problem(member.line, "bounce rules have no table " + quoted(member.key) +
                                     "; there are rules, text, enhanced, code, vague and class");
        }
    }
    // The parser of TOML gives the keys in order of the alphabet; rules are tried in order of the
    // text.
    std::ranges::sort(tables.text.begin() + static_cast<std::ptrdiff_t>(rules_before),
                      tables.text.end(), {},
                      [](const TextRule& rule) { return std::tie(rule.line, rule.order); });
    std::ranges::sort(problems.begin() + static_cast<std::ptrdiff_t>(before), problems.end(), {},
                      [](const Problem& each) { return std::tie(each.line, each.sentence); });
}

BounceClassIndex RuleReader::class_named(const std::string& name, int line) {
    if (const auto found = by_name_.find(name); found != by_name_.end()) return found->second;
    const bool sound = !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
        return core::is_alnum(c) || c == '_' || c == '-';
    });
    if (!sound) {
        problem(line, quoted(name) + " is not the name of a class: 1 to 64 letters and digits");
        return 0;
    }
    if (tables.classes.size() >= kMostClasses) {
        problem(line, "there are more than " + std::to_string(kMostClasses) + " classes");
        return 0;
    }
    const auto index = static_cast<BounceClassIndex>(tables.classes.size());
    tables.classes.push_back({name, BounceNature::unknown, false, false});
    by_name_.emplace(name, index);
    undeclared_.emplace(name, Problem{source_->file, line, {}});
    return index;
}

void RuleReader::finish() {
    std::vector<std::string_view> declared;
    for (const auto& [name, index] : by_name_) {
        if (!undeclared_.contains(name)) declared.push_back(name);
    }
    for (auto& [name, place] : undeclared_) {
        place.sentence = "there is no class " + quoted(name);
        const std::string_view guess = core::nearest(name, declared);
        if (!guess.empty()) place.sentence += "; is " + quoted(guess) + " meant?";
        place.sentence += "; a class of your own is declared by [class." + name + "]";
        problems.push_back(std::move(place));
    }
    undeclared_.clear();
}

bool RuleReader::texts(const TomlMember& member, std::vector<const TomlValue*>& out) {
    if (member.value.kind != Kind::array) {
        problem(member.line, quoted(member.key) + " must be an array of strings");
        return false;
    }
    for (const TomlValue& item : member.value.items) {
        if (item.kind != Kind::text) {
            problem(item.line, quoted(member.key) + " must be an array of strings");
            return false;
        }
        out.push_back(&item);
    }
    return true;
}

void RuleReader::pattern(const TomlValue& value, TextRule rule) {
    if (value.text.empty() || value.text.size() > kMostPatternOctets) {
        return problem(value.line,
                       "a pattern has 1 to " + std::to_string(kMostPatternOctets) + " octets");
    }
    if (tables.text.size() >= kMostPatterns) {
        return problem(value.line,
                       "there are more than " + std::to_string(kMostPatterns) + " patterns");
    }
    rule.pattern = value.text;
    rule.source = source_;
    rule.built_in = source_->built_in;
    rule.line = value.line;
    rule.order = tables.text.size();
    tables.text.push_back(std::move(rule));
}

// KumoMTA: Class = ["pattern", ...]; letters count as they are written.
void RuleReader::kumo_rules(const TomlValue& table) {
    for (const TomlMember& member : table.members) {
        std::vector<const TomlValue*> patterns;
        if (!texts(member, patterns)) continue;
        TextRule rule;
        rule.klass = class_named(member.key, member.line);
        for (const TomlValue* each : patterns)
            pattern(*each, rule);
    }
}

void RuleReader::classes(const TomlValue& table) {
    for (const TomlMember& member : table.members) {
        const BounceClassIndex index = class_named(member.key, member.line);
        undeclared_.erase(member.key);
        for (const TomlMember& each : member.value.members)
            class_option(member.key, each, tables.classes[index]);
        if (member.value.kind != Kind::table)
            class_option(member.key, member, tables.classes[index]);
    }
}

void RuleReader::class_option(const std::string& name, const TomlMember& option,
                              BounceClassEntry& entry) {
    const TomlValue& value = option.value;
    const std::string_view kind =
        option.key == "kind" && value.kind == Kind::text ? std::string_view(value.text) : "";
    const bool flag = value.kind == Kind::boolean;
    if (kind == "hard") {
        entry.nature = BounceNature::address;
    } else if (kind == "soft") {
        entry.nature = BounceNature::passing;
    } else if (kind == "block") {
        entry.nature = BounceNature::block;
    } else if (option.key == "suppress" && flag) {
        entry.suppress = value.boolean;
    } else if (option.key == "retry" && flag) {
        entry.retry = value.boolean;
    } else {
        problem(option.line, "[class." + name.substr(0, 80) +
                                 "] takes kind = \"hard\", \"soft\" or \"block\", suppress and "
                                 "retry = true or false");
    }
}

void RuleReader::text_rules(const TomlValue& array) {
    for (const TomlValue& item : array.items) {
        if (item.kind == Kind::table) {
            text_rule(item);
        } else {
            problem(item.line, "rules of text are written as [[text]]");
        }
    }
}

void RuleReader::text_rule(const TomlValue& table) {
    TextRule rule;
    std::vector<const TomlValue*> patterns;
    bool has_class = false;
    for (const TomlMember& member : table.members) {
        if (member.key == "class" && member.value.kind == Kind::text) {
            rule.klass = class_named(member.value.text, member.line);
            has_class = true;
        } else if (member.key == "match") {
            texts(member, patterns);
        } else {
            text_option(member, rule);
        }
    }
    if (!has_class || patterns.empty()) {
        return problem(table.line, "[[text]] needs a class and match = [\"pattern\", ...]");
    }
    for (const TomlValue* each : patterns) {
        TomlValue insensitive = *each;
        insensitive.text = "(?i)" + insensitive.text;
        pattern(insensitive, rule);
    }
}

void RuleReader::text_option(const TomlMember& member, TextRule& rule) {
    const bool flag = member.value.kind == Kind::boolean;
    if (member.key == "hosts") {
        hosts(member, rule);
    } else if (member.key == "commands") {
        commands(member, rule);
    } else if (member.key == "vague" && flag) {
        rule.vague_only = member.value.boolean;
    } else if (member.key == "suppress" && flag && !member.value.boolean) {
        rule.keep = true;
    } else {
        problem(member.line,
                "[[text]] takes class, match, hosts, commands, vague = true and suppress = "
                "false; not this " +
                    quoted(member.key));
    }
}

void RuleReader::hosts(const TomlMember& member, TextRule& rule) {
    std::vector<const TomlValue*> hosts;
    if (!texts(member, hosts)) return;
    if (tables.hosts.size() == kMostPatterns) {
        return problem(member.line, "there are too many lists of hosts");
    }
    rule.hosts = static_cast<std::uint16_t>(tables.hosts.size());
    auto& list = tables.hosts.emplace_back();
    for (const TomlValue* each : hosts)
        list.push_back(core::to_lower(each->text));
}

void RuleReader::commands(const TomlMember& member, TextRule& rule) {
    std::vector<const TomlValue*> names;
    if (!texts(member, names)) return;
    for (const TomlValue* each : names) {
        const auto asked = asked_named(each->text);
        if (asked) {
            rule.commands |= static_cast<std::uint16_t>(1U << static_cast<unsigned>(*asked));
        } else {
            problem(each->line, quoted(each->text) +
                                    " is no command of these: greeting, EHLO, STARTTLS, AUTH, "
                                    "MAIL, RCPT, DATA, content");
        }
    }
}

void RuleReader::enhanced(const TomlValue& table) {
    for (const TomlMember& member : table.members) {
        const auto key = enhanced_key(member.key);
        if (!key || member.value.kind != Kind::text) {
            problem(member.line,
                    "[enhanced] has lines such as \"5.1.1\" or \"x.7.x\" = "
                    "\"InvalidRecipient\", not " +
                        quoted(member.key));
            continue;
        }
        // The first file that says something about a code is the one that counts.
        tables.enhanced.emplace(*key, class_named(member.value.text, member.line));
    }
}

void RuleReader::codes(const TomlValue& table) {
    for (const TomlMember& member : table.members) {
        if (!is_code(member.key) || member.value.kind != Kind::text) {
            problem(member.line,
                    "[code] has lines such as \"552\" or \"4xx\" = \"QuotaIssues\", not " +
                        quoted(member.key));
            continue;
        }
        tables.code.emplace(member.key, class_named(member.value.text, member.line));
    }
}

void RuleReader::vague(const TomlValue& array) {
    for (const TomlValue& item : array.items) {
        const auto key =
            item.kind == Kind::text ? enhanced_key(item.text) : std::optional<EnhancedKey>{};
        if (!key) {
            problem(item.line, "vague lists enhanced codes such as \"x.7.1\" or \"x.0.x\"");
        } else if (tables.vague.size() < kMostClasses) {
            tables.vague.push_back(*key);
        }
    }
}

}  // namespace relay
