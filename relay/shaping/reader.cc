#include "relay/shaping/reader.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/spelling.h"
#include "relay/shaping/kumo_options.h"

namespace relay {
namespace {

using core::TomlMember;
using core::TomlValue;
using TomlKind = core::TomlValue::Kind;

constexpr std::string_view kDefaultTable = "default";
constexpr std::string_view kProviderTable = "provider";
constexpr std::array kReservedTables{kDefaultTable, kProviderTable};

std::string normalized(std::string_view domain) {
    if (domain.ends_with('.')) domain.remove_suffix(1);
    return core::to_lower(domain);
}

std::string quoted(std::string_view text) {
    return "\"" + std::string(text.substr(0, 80)) + "\"";
}

// Those of one file, which come in the order of the keys.
void sort_by_line(Problems& problems, std::size_t first) {
    std::ranges::sort(problems.begin() + static_cast<std::ptrdiff_t>(first), problems.end(), {},
                      [](const Problem& each) { return std::tie(each.line, each.sentence); });
}

std::vector<const TomlMember*> by_line(const TomlValue& table) {
    std::vector<const TomlMember*> members;
    for (const TomlMember& each : table.members)
        members.push_back(&each);
    std::ranges::sort(members, {}, [](const TomlMember* each) {
        return std::pair(each->line, std::string_view(each->key));
    });
    return members;
}

bool replaces_base(const TomlValue& table) {
    const TomlMember* replace = table.find("replace_base");
    return replace != nullptr && replace->value.kind == TomlKind::boolean && replace->value.boolean;
}

bool is_domain_name(std::string_view name) {
    return !name.empty() && name.size() <= 253 &&
           name.find_first_of(" \t@/*,") == std::string_view::npos;
}

template <typename Named>
Named& find_or_add(std::vector<Named>& all, std::string_view name) {
    const auto found = std::ranges::find(all, name, &Named::name);
    if (found != all.end()) return *found;
    all.emplace_back().name = name;
    return all.back();
}

}  // namespace

void ShapingReader::read(const ShapingText& source) {
    files.push_back(source.file);
    const auto root = core::parse_toml(source.text);
    if (!root) return problem(root.error().line, root.error().sentence);
    const std::size_t warnings_before = warnings.size();
    const std::size_t problems_before = problems.size();
    for (const TomlMember& member : root->members) {
        if (member.value.kind != TomlKind::table) {
            problem(member.line, quoted(member.key) +
                                     " must be a table: options stand below [\"default\"] or a "
                                     "domain such as [\"example.com\"]");
        } else if (member.key == kProviderTable) {
            providers_of(member);
        } else {
            domain(member);
        }
    }
    sort_by_line(problems, problems_before);
    sort_by_line(warnings, warnings_before);
}

void ShapingReader::problem(int line, std::string sentence) {
    problems.push_back({files.back(), line, std::move(sentence)});
}

void ShapingReader::warning(int line, std::string sentence) {
    warnings.push_back({files.back(), line, std::move(sentence)});
}

// ---- providers

// Their order counts: of those that fit, the last one has the site.
void ShapingReader::providers_of(const TomlMember& member) {
    for (const TomlMember* each : by_line(member.value))
        provider(*each);
}

void ShapingReader::provider(const TomlMember& member) {
    const Place place{"[provider." + quoted(member.key) + "]", Kind::provider};
    if (member.value.kind != TomlKind::table) {
        return problem(member.line, "[provider] " + quoted(member.key) +
                                        " must be a table: [provider.\"NAME\"]");
    }
    if (!is_shaping_name(member.key)) {
        return problem(member.line, place.name + " must have a name of 1 to " +
                                        std::to_string(kMostNameOctets) + " printable octets");
    }
    const auto known = std::ranges::find(providers, member.key, &ShapingProvider::name);
    if (known == providers.end() && providers.size() >= kMostProviders) {
        return problem(member.line,
                       "there are more than " + std::to_string(kMostProviders) + " providers");
    }
    ShapingProvider& into = find_or_add(providers, member.key);
    const bool replaced = replaces_base(member.value);
    if (replaced) {
        into = {};
        into.name = member.key;
    }
    if (const TomlMember* rules = member.value.find("match")) match(place, *rules, into);
    table(place, member, into);
    if (into.match.empty() && !replaced) {
        warning(member.line, place.name + " has no match: no mail belongs to it");
    }
}

void ShapingReader::match(const Place& place, const TomlMember& member, ShapingProvider& into) {
    if (member.value.kind != TomlKind::array) {
        return problem(member.line, place.name +
                                        " match must be a list such as "
                                        "[{MXSuffix=\".example.com\"}]");
    }
    for (const TomlValue& each : member.value.items)
        match_rule(place, each, into);
}

void ShapingReader::match_rule(const Place& place, const TomlValue& value, ShapingProvider& into) {
    const bool one = value.kind == TomlKind::table && value.members.size() == 1;
    const TomlMember* const rule = one ? &value.members.front() : nullptr;
    const auto word = rule == nullptr ? kMatchWords.end()
                                      : std::ranges::find(kMatchWords, rule->key,
                                                          [](const auto& w) { return w.first; });
    if (word == kMatchWords.end()) {
        std::string sentence = place.name +
                               " match must have {MXSuffix=\"…\"}, {HostName=\"…\"} or "
                               "{DomainSuffix=\"…\"}";
        if (rule != nullptr) sentence.append(", not ").append(quoted(rule->key));
        return problem(value.line, std::move(sentence));
    }
    const std::string name =
        rule->value.kind == TomlKind::text ? normalized(rule->value.text) : std::string();
    if (!is_domain_name(name)) {
        return problem(rule->line, place.name + " match " + rule->key +
                                       " must be a name or the end of one, such as "
                                       "\".example.com\"");
    }
    add_match(place, {word->second, name, file(), rule->line}, into);
}

void ShapingReader::add_match(const Place& place, ProviderMatch rule, ShapingProvider& into) {
    const auto same = [&rule](const ProviderMatch& each) { return each.is_same(rule); };
    if (std::ranges::any_of(into.match, same)) return;
    if (++matches_ > kMostProviderMatches) {
        return problem(rule.line, "there are more than " + std::to_string(kMostProviderMatches) +
                                      " rules in the match of providers");
    }
    for (const ShapingProvider& other : providers) {
        const auto found = std::ranges::find_if(other.match, same);
        if (&other == &into || found == other.match.end()) continue;
        const bool later = &other > &into;
        warning(rule.line, place.name + " match: \"" + rule.name + "\" is a match of [provider." +
                               quoted(other.name) + "] too (" +
                               FileLine{files[found->file], found->line}.to_string() +
                               "); the mail belongs to " + (later ? other.name : into.name) +
                               ", which stands last");
    }
    into.match.push_back(std::move(rule));
}

// ---- domains

void ShapingReader::domain(const TomlMember& member) {
    const std::string name = normalized(member.key);
    if (!is_domain_name(name)) {
        // KumoMTA's own files name queues of its own here, such as "http://….tsa.kumomta".
        return warning(member.line,
                       "[" + quoted(member.key) + "] is not a domain; the table has no effect");
    }
    const std::string_view meant = core::nearest(name, kReservedTables);
    if (!meant.empty() && meant != name && !name.contains('.')) {
        return problem(member.line, "[\"" + name + "\"] is not a domain; is \"" +
                                        std::string(meant) + "\" meant?");
    }
    if (name != kDefaultTable && domains.size() >= kMostDomainTables && !domains.contains(name)) {
        return problem(member.line, "there are more than " + std::to_string(kMostDomainTables) +
                                        " tables of domains");
    }
    ShapingTable& into = name == kDefaultTable ? defaults : domains[name];
    if (replaces_base(member.value)) into = {};
    table({"[\"" + name + "\"]", Kind::domain}, member, into);
}

// ---- what every table may have

void ShapingReader::table(const Place& place, const TomlMember& member, ShapingTable& into) {
    into.file = file();
    into.line = member.line;
    for (const TomlMember& each : member.value.members) {
        if (each.key == "match" && place.kind == Kind::provider) continue;
        if (each.key == "sources") {
            sources(place, each, into);
        } else if (each.key == "automation") {
            automation(place, each, into);
        } else {
            option(place, each, into.stated);
            if (each.key == "mx_rollup" && each.value.kind == TomlKind::boolean) {
                into.mx_rollup = each.value.boolean;
            }
        }
    }
}

void ShapingReader::option(const Place& place, const TomlMember& member, StatedOptions& into) {
    const ShapingOption* known = find_shaping_option(member.key);
    if (known == nullptr) return unknown(place, member);
    const std::string name = place.name + " " + member.key;
    if (known->of_provider && place.kind != Kind::provider) {
        return problem(member.line,
                       name + " belongs to a provider: put it into [provider.\"NAME\"]");
    }
    ReadLimit read = known->read(member.value);
    if (!read.warning.empty()) warning(member.line, name + read.warning);
    if (!read.wrong.empty()) return problem(member.line, name + " must be " + read.wrong);
    if (!read.set) return;
    std::erase_if(into, [known](const StatedOption& each) { return each.option == known; });
    into.push_back({known, file(), member.line, std::move(read.set)});
}

void ShapingReader::unknown(const Place& place, const TomlMember& member) {
    if (const KumoOption* option = find_kumo_option(member.key)) {
        const std::string_view expected = option->complaint(member.value);
        if (!expected.empty()) {
            return problem(member.line,
                           place.name + " " + member.key + " must be " + std::string(expected));
        }
        if (option->is_same(member.value)) return;
        return warning(member.line, place.name + " " + member.key +
                                        " has no effect: " + std::string(option->instead));
    }
    std::vector<std::string_view> names{"automation", "sources", "match"};
    for (const ShapingOption& each : shaping_options())
        names.push_back(each.name);
    for (const KumoOption& each : kumo_options())
        names.push_back(each.name);
    std::string sentence = place.name + " has no option " + quoted(member.key);
    const std::string_view guess = core::nearest(member.key, names);
    if (member.key == "match") {
        sentence += "; it belongs to [provider.\"NAME\"]";
    } else if (member.value.kind == TomlKind::table) {
        sentence += "; a domain stands in quotes: [\"example.com\"]";
    } else if (!guess.empty()) {
        sentence.append("; is \"").append(guess).append("\" meant?");
    }
    problem(member.line, std::move(sentence));
}

void ShapingReader::sources(const Place& place, const TomlMember& member, ShapingTable& into) {
    const std::string_view prefix(place.name.data(), place.name.size() - 1);
    for (const TomlMember& each : member.value.members) {
        const Place source{std::string(prefix) + ".sources." + quoted(each.key) + "]",
                           Kind::source};
        if (each.value.kind != TomlKind::table || !is_shaping_name(each.key)) {
            problem(each.line, source.name + " must be a table with the name of an egress source");
            continue;
        }
        if (each.key != kDefaultSource && std::ranges::find(known_, each.key) == known_.end()) {
            const std::string instead =
                known_.empty() ? "; all mail leaves by " + quoted(kDefaultSource) : std::string();
            warning(each.line, source.name + " has no effect: there is no egress source " +
                                   quoted(each.key) + instead);
        }
        StatedOptions& stated = find_or_add(into.sources, each.key).stated;
        for (const TomlMember& one : each.value.members)
            option(source, one, stated);
    }
    if (member.value.kind != TomlKind::table) {
        problem(member.line, place.name + " sources must be tables: " + std::string(prefix) +
                                 ".sources.\"NAME\"]");
    }
}

void ShapingReader::automation(const Place& place, const TomlMember& member, ShapingTable& into) {
    const std::string name = "[" + place.name.substr(0, place.name.size() - 1) + ".automation]]";
    const bool tables = member.value.kind == TomlKind::array &&
                        std::ranges::all_of(member.value.items, [](const TomlValue& each) {
                            return each.kind == TomlKind::table;
                        });
    if (!tables) return problem(member.line, name + " must be tables: " + name);
    for (const TomlValue& each : member.value.items) {
        ReadAutomation read = read_automation(each);
        for (AutomationComplaint& wrong : read.wrong)
            problem(wrong.line, name + " " + wrong.sentence);
        for (AutomationComplaint& one : read.warnings)
            warning(one.line, name + " " + one.sentence);
        patterns_ += read.rule.patterns.size();
        if (patterns_ > kMostAutomationPatterns) {
            return problem(each.line, "there are more than " +
                                          std::to_string(kMostAutomationPatterns) +
                                          " patterns of automation");
        }
        for (const AutomationAction& action : read.rule.actions) {
            if (action.option != nullptr && action.option->of_provider &&
                place.kind != Kind::provider) {
                problem(each.line, name + " sets " + std::string(action.option->name) +
                                       ", which belongs to a provider");
            }
            const bool own = place.kind == Kind::domain && place.name != "[\"default\"]";
            if (action.verb == AutomationVerb::set_domain_config && !own) {
                warning(each.line, name +
                                       " SetDomainConfig sets the option for the whole site, not "
                                       "for one of its domains");
            }
        }
        read.rule.file = file();
        into.automation.push_back(std::move(read.rule));
    }
}

}  // namespace relay
