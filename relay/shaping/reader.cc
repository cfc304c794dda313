#include "relay/shaping/reader.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/spelling.h"

namespace relay {
namespace {

using core::TomlMember;
using Kind = core::TomlValue::Kind;

constexpr std::string_view kDefaultTable = "default";
constexpr std::string_view kProviderTable = "provider";
constexpr std::array kReservedTables{kDefaultTable, kProviderTable};

std::string normalized(std::string_view domain) {
    if (domain.ends_with('.')) domain.remove_suffix(1);
    return core::to_lower(domain);
}

// Those of one file, which come in the order of the keys.
void sort_by_line(Problems& problems, std::size_t first) {
    std::ranges::sort(problems.begin() + static_cast<std::ptrdiff_t>(first), problems.end(), {},
                      [](const Problem& each) { return std::tie(each.line, each.sentence); });
}

bool replaces_base(const core::TomlValue& table) {
    const TomlMember* replace = table.find("replace_base");
    return replace != nullptr && replace->value.kind == Kind::boolean && replace->value.boolean;
}

}  // namespace

void ShapingReader::read(const ShapingText& source) {
    files.push_back(source.file);
    const auto root = core::parse_toml(source.text);
    if (!root) return problem(root.error().line, root.error().sentence);
    const std::size_t warnings_before = warnings.size();
    const std::size_t problems_before = problems.size();
    for (const TomlMember& member : root->members) {
        if (member.key == kProviderTable) {
            providers(member);
        } else if (member.value.kind != Kind::table) {
            problem(member.line, "\"" + member.key.substr(0, 80) +
                                     "\" must be a table: options stand below [\"default\"] or a "
                                     "domain such as [\"example.com\"]");
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

void ShapingReader::providers(const TomlMember& member) {
    for (const TomlMember& each : member.value.members) {
        warning(each.line, "[provider.\"" + each.key +
                               "\"]: providers are not available in this version; it has no "
                               "effect");
    }
}

void ShapingReader::domain(const TomlMember& member) {
    const std::string name = normalized(member.key);
    const bool is_domain =
        !name.empty() && name.size() <= 253 && name.find_first_of(" \t@/*") == std::string::npos;
    if (!is_domain) {
        // KumoMTA's own files name queues of its own here, such as "http://….tsa.kumomta".
        return warning(member.line, "[\"" + member.key.substr(0, 80) +
                                        "\"] is not a domain; the table has no effect");
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
    into.file = files.size() - 1;
    into.line = member.line;
    for (const TomlMember& each : member.value.members)
        option(name, each, into);
}

void ShapingReader::option(const std::string& table, const TomlMember& member, ShapingTable& into) {
    const ShapingOption* known = find_shaping_option(member.key);
    if (known == nullptr) return unknown(table, member);
    const std::string name = "[\"" + table + "\"] " + member.key;
    ReadLimit read = known->read(member.value);
    if (!read.warning.empty()) warning(member.line, name + read.warning);
    if (!read.wrong.empty()) return problem(member.line, name + " must be " + read.wrong);
    if (!read.set) return;
    into.sets.push_back(std::move(read.set));
    std::erase_if(into.stated, [known](const StatedOption& each) { return each.option == known; });
    into.stated.push_back({known, files.size() - 1, member.line});
}

void ShapingReader::unknown(const std::string& table, const TomlMember& member) {
    if (std::ranges::find(kKumoOptions, member.key) != kKumoOptions.end()) {
        return warning(member.line, "[\"" + table + "\"] " + member.key +
                                        " is KumoMTA's and not available in this version; it has "
                                        "no effect");
    }
    std::vector<std::string_view> names;
    for (const ShapingOption& each : shaping_options())
        names.push_back(each.name);
    names.insert(names.end(), kKumoOptions.begin(), kKumoOptions.end());
    std::string sentence = "[\"" + table + "\"] has no option \"" + member.key.substr(0, 80) + "\"";
    const std::string_view guess = core::nearest(member.key, names);
    if (!guess.empty()) sentence.append("; is \"").append(guess).append("\" meant?");
    problem(member.line, std::move(sentence));
}

}  // namespace relay
