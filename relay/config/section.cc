#include "relay/config/section.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/spelling.h"

namespace relay {
namespace {

using Kind = core::TomlValue::Kind;

std::string in_quotes(std::string_view text) {
    return "\"" + std::string(text.substr(0, 80)) + "\"";
}

std::string listed(std::span<const std::string_view> words) {
    std::string list;
    for (const std::string_view word : words) {
        if (!list.empty()) list += word == words.back() ? " or " : ", ";
        list += in_quotes(word);
    }
    return list;
}

bool is_empty(const core::TomlValue& value) {
    return (value.kind == Kind::text && value.text.empty()) ||
           (value.kind == Kind::array && value.items.empty()) ||
           (value.kind == Kind::table && value.members.empty());
}

}  // namespace

const core::TomlValue* Section::take(std::string_view key) {
    taken_.emplace_back(key);
    const core::TomlMember* member = table_.find(key);
    return member == nullptr ? nullptr : &member->value;
}

void Section::problem(int at_line, std::string sentence) {
    problems_.push_back({file_, at_line, std::move(sentence)});
}

void Section::problem_with(std::string_view key, int at_line, std::string_view sentence) {
    problem(at_line, name_ + " " + std::string(key) + " " + std::string(sentence));
}

bool Section::of_kind(std::string_view key, const core::TomlValue* value, Kind kind,
                      std::string_view expected) {
    if (value == nullptr) return false;
    if (value->kind == kind) return true;
    problem_with(
        key, value->line,
        "must be " + std::string(expected) + ", not " + std::string(core::to_string(value->kind)));
    return false;
}

bool Section::text(std::string_view key, std::string& out) {
    const core::TomlValue* value = take(key);
    if (!of_kind(key, value, Kind::text, "a string")) return false;
    out = value->text;
    return true;
}

bool Section::file(std::string_view key, NamedFile& out) {
    std::string name;
    const core::TomlValue* value = take(key);
    if (!text(key, name)) return false;
    out = {name, value->line};
    return true;
}

bool Section::files(std::string_view key, std::vector<NamedFile>& out) {
    std::vector<TextAtLine> names;
    if (!texts(key, names)) return false;
    out.clear();
    for (const TextAtLine& name : names) {
        if (name.text.empty()) problem_with(key, name.line, "must not be empty names");
        out.push_back({name.text, name.line});
    }
    return true;
}

bool Section::flag(std::string_view key, bool& out) {
    const core::TomlValue* value = take(key);
    if (!of_kind(key, value, Kind::boolean, "true or false")) return false;
    out = value->boolean;
    return true;
}

bool Section::whole_number(std::string_view key, std::int64_t& out, std::int64_t least,
                           std::int64_t most) {
    const core::TomlValue* value = take(key);
    if (!of_kind(key, value, Kind::integer, "an integer")) return false;
    if (value->integer < least || value->integer > most) {
        problem_with(key, value->line,
                     "must be from " + std::to_string(least) + " to " + std::to_string(most) +
                         ", not " + std::to_string(value->integer));
        return false;
    }
    out = value->integer;
    return true;
}

bool Section::size(std::string_view key, std::uint64_t& out, std::uint64_t least,
                   std::uint64_t most) {
    const core::TomlValue* value = take(key);
    if (!of_kind(key, value, Kind::text, "a size in quotes such as \"64MiB\"")) return false;
    const auto parsed = core::parse_size(value->text);
    if (!parsed) {
        problem_with(key, value->line, "= " + parsed.error());
        return false;
    }
    if (*parsed < least || *parsed > most) {
        problem_with(key, value->line,
                     "= " + in_quotes(value->text) + " must be from " + std::to_string(least) +
                         " to " + std::to_string(most) + " octets");
        return false;
    }
    out = *parsed;
    return true;
}

bool Section::size_or_share(std::string_view key, SizeOrShare& out, std::uint64_t least) {
    const core::TomlValue* value = take(key);
    if (!of_kind(key, value, Kind::text, "a share or size in quotes: \"75%\" or \"2GiB\"")) {
        return false;
    }
    const std::string_view text = core::trim(value->text);
    if (!text.ends_with('%')) {
        const auto parsed = core::parse_size(text);
        if (parsed && *parsed >= least) {
            out = {*parsed, 0};
            return true;
        }
        problem_with(key, value->line,
                     parsed
                         ? "must be at least " + core::write_size(least)
                         : "= " + in_quotes(text) + " is neither a share such as \"75%\" nor a " +
                               "size such as \"2GiB\"");
        return false;
    }
    unsigned percent = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size() - 1, percent);
    if (error != std::errc{} || end != text.data() + text.size() - 1 || percent < 1 ||
        percent > 100) {
        problem_with(key, value->line,
                     "= " + in_quotes(text) + " must be a whole number from 1% to 100%");
        return false;
    }
    out = {0, percent};
    return true;
}

bool Section::duration(std::string_view key, core::Duration& out, core::Duration least,
                       core::Duration most) {
    const core::TomlValue* value = take(key);
    if (!of_kind(key, value, Kind::text, "a time in quotes such as \"5m\"")) return false;
    const auto parsed = core::parse_duration(value->text);
    if (!parsed) {
        problem_with(key, value->line, "= " + parsed.error());
        return false;
    }
    if (*parsed < least) {
        problem_with(key, value->line, "= " + in_quotes(value->text) + " is too short");
        return false;
    }
    if (*parsed > most) {
        problem_with(key, value->line, "must be at most " + in_quotes(core::write_duration(most)));
        return false;
    }
    out = *parsed;
    return true;
}

bool Section::rate(std::string_view key, core::Rate& out) {
    const core::TomlValue* value = take(key);
    if (!of_kind(key, value, Kind::text, "a rate in quotes such as \"100/s\"")) return false;
    const auto parsed = core::parse_rate(value->text);
    if (!parsed) {
        problem_with(key, value->line, "= " + parsed.error());
        return false;
    }
    out = *parsed;
    return true;
}

bool Section::texts(std::string_view key, std::vector<TextAtLine>& out) {
    const core::TomlValue* value = take(key);
    if (!of_kind(key, value, Kind::array, "a list of strings")) return false;
    std::vector<TextAtLine> read;
    for (const core::TomlValue& item : value->items) {
        if (!of_kind(key, &item, Kind::text, "a list of strings")) return false;
        read.push_back({item.text, item.line});
    }
    out = std::move(read);
    return true;
}

std::size_t Section::word_index(std::string_view key, std::span<const std::string_view> known,
                                std::span<const std::string_view> later) {
    const core::TomlValue* value = take(key);
    if (!of_kind(key, value, Kind::text, "one of " + listed(known))) return known.size();
    const auto found = std::ranges::find(known, value->text);
    if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
    if (std::ranges::find(later, value->text) != later.end()) {
        problem_with(key, value->line,
                     "= " + in_quotes(value->text) + " is not available in this version; " +
                         listed(known) + " is");
    } else {
        problem_with(key, value->line,
                     "must be " + listed(known) + ", not " + in_quotes(value->text));
    }
    return known.size();
}

std::optional<Section> Section::table(std::string_view key, std::string_view example) {
    const core::TomlValue* value = take(key);
    if (value == nullptr) return std::nullopt;
    if (value->kind != Kind::table) {
        problem_with(key, value->line, "must be a table: " + std::string(example));
        return std::nullopt;
    }
    return Section(*value, name_ + " " + std::string(key), file_, problems_);
}

std::optional<Section> Section::item(std::string_view key, const core::TomlValue& value,
                                     std::string_view form) {
    if (value.kind == Kind::table) {
        return Section(value, name_ + " " + std::string(key), file_, problems_);
    }
    problem_with(key, value.line, form);
    return std::nullopt;
}

void Section::not_available(std::string_view key, std::string_view instead) {
    const core::TomlValue* value = take(key);
    if (value == nullptr || is_empty(*value)) return;
    const int at_line = value->line > 0 ? value->line : table_.line;
    problem_with(key, at_line, "is not available in this version" + std::string(instead));
}

void Section::finish() {
    for (const core::TomlMember& member : table_.members) {
        if (std::ranges::find(taken_, member.key) != taken_.end()) continue;
        std::string sentence = name_ + " has no key " + in_quotes(member.key);
        const std::string_view guess = core::nearest(member.key, taken_);
        if (!guess.empty()) sentence += "; is " + in_quotes(guess) + " meant?";
        problem(member.line, std::move(sentence));
    }
}

bool is_host_name(std::string_view name, bool underscores) {
    if (name.empty() || name.size() > 253) return false;
    std::size_t label = 0;
    char before = '.';
    for (const char c : name) {
        if (c == '.') {
            if (label == 0 || before == '-') return false;
            label = 0;
        } else {
            if (!core::is_alnum(c) && c != '-' && !(underscores && c == '_')) return false;
            if ((c == '-' && label == 0) || ++label > 63) return false;
        }
        before = c;
    }
    return label > 0 && before != '-';
}

}  // namespace relay
