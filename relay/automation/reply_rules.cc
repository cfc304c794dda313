#include "relay/automation/reply_rules.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <re2/re2.h>
#include <re2/set.h>

#include "core/base/ascii.h"
#include "relay/shaping/options.h"
#include "relay/shaping/throttle.h"

namespace relay {

namespace {

RE2::Options options_of(std::int64_t memory) {
    RE2::Options options;
    options.set_encoding(RE2::Options::EncodingLatin1);  // replies are octets
    options.set_log_errors(false);
    options.set_max_mem(memory);
    return options;
}

// The same in every process, as journals have it (FNV-1a).
std::uint64_t mix(std::uint64_t hash, std::string_view text) {
    for (const char c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return (hash ^ 0xffU) * 0x100000001b3U;
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out.push_back('\\');
        if (c == '\n') {
            out += "\\n";
        } else if (static_cast<unsigned char>(c) >= ' ' && c != '\x7f') {
            out.push_back(c);
        }
    }
    return out + "\"";
}

RuleAction compiled(const AutomationAction& action) {
    RuleAction made{.verb = action.verb, .option = {}, .value = {}, .factor = action.factor};
    if (action.option == nullptr) return made;
    made.option = action.option->name;
    made.value = toml_value(action.value);
    made.set = action.option->read(action.value).set;
    return made;
}

ReplyRule compiled(const AutomationRule& rule, const std::string& table, bool of_provider,
                   std::string place) {
    ReplyRule made{.place = std::move(place),
                   .pattern = rule.patterns.empty() ? std::string() : rule.patterns.front(),
                   .of_provider = of_provider,
                   .match_internal = rule.match_internal,
                   .threshold = rule.threshold,
                   .duration = rule.duration};
    made.id = mix(0xcbf29ce484222325U, table);
    for (const std::string& pattern : rule.patterns)
        made.id = mix(made.id, pattern);
    if (rule.threshold) made.id = mix(made.id, write_throttle(*rule.threshold));
    for (const AutomationAction& action : rule.actions) {
        // Options that have no effect here set nothing.
        const bool sets = action.verb == AutomationVerb::set_config ||
                          action.verb == AutomationVerb::set_domain_config;
        RuleAction one = compiled(action);
        made.id = mix(mix(mix(made.id, to_string(one.verb)), one.option), one.value);
        if (!sets || one.set) made.actions.push_back(std::move(one));
    }
    return made;
}

}  // namespace

std::string toml_value(const core::TomlValue& value) {
    using Kind = core::TomlValue::Kind;
    switch (value.kind) {
        case Kind::text:
        case Kind::date:
            return quoted(value.text);
        case Kind::integer:
            return std::to_string(value.integer);
        case Kind::real:
            return std::to_string(value.real);
        case Kind::boolean:
            return value.boolean ? "true" : "false";
        case Kind::array: {
            std::string all;
            for (const core::TomlValue& item : value.items)
                all.append(all.empty() ? "" : ", ").append(toml_value(item));
            return "[" + all + "]";
        }
        case Kind::table:
            break;
    }
    return "{}";
}

std::string reply_line(const Disposition& said) {
    std::string line = to_string(ReplyView{said.reply.code, said.reply.enhanced, said.words()});
    std::ranges::replace(line, '\n', ' ');
    return line;
}

// ---- one table

struct RuleTable::Automaton {
    explicit Automaton(std::int64_t memory) : set(options_of(memory), RE2::UNANCHORED) {}
    RE2::Set set;
};

RuleTable::RuleTable() = default;
RuleTable::~RuleTable() = default;

void RuleTable::match(const std::string& line, bool local,
                      std::vector<const ReplyRule*>& found) const {
    std::vector<int> patterns;
    if (!automaton_->set.Match(line, &patterns)) return;
    std::ranges::sort(patterns);
    const std::size_t before = found.size();
    for (const int index : patterns) {
        const ReplyRule& rule = rules_[rule_of_[static_cast<std::size_t>(index)]];
        if (local && !rule.match_internal) continue;
        const auto known = found.begin() + static_cast<std::ptrdiff_t>(before);
        if (std::find(known, found.end(), &rule) == found.end()) found.push_back(&rule);
    }
}

// ---- all of them

std::vector<const ReplyRule*> ReplyRules::Of::match(const Disposition& said) const {
    std::vector<const ReplyRule*> found;
    if (empty() || (!said.reply.transient() && !said.reply.permanent())) return found;
    const std::string line = reply_line(said);
    for (const RuleTable* each : {defaults, provider, table}) {
        if (each != nullptr) each->match(line, said.local, found);
    }
    return found;
}

ReplyRules::Of ReplyRules::of(const ShapingScope& scope) const {
    const auto find = [](const Tables& in, std::string_view name) -> const RuleTable* {
        const auto found = in.find(name);
        return found == in.end() ? nullptr : found->second.get();
    };
    Of of{.defaults = defaults_.get(), .provider = find(providers_, scope.provider)};
    std::string_view domain = scope.table;
    if (domain.ends_with('.')) domain.remove_suffix(1);
    if (!domain.empty() && !domains_.empty()) of.table = find(domains_, core::to_lower(domain));
    const bool any = of.defaults != nullptr || of.provider != nullptr || of.table != nullptr;
    if (any) of.book = shared_from_this();
    return of;
}

std::expected<std::shared_ptr<const ReplyRules>, Problems> ReplyRules::compile(
    const ShapingPolicy& policy) {
    struct Named {
        std::string name;
        const ShapingTable* table;
        Tables ReplyRules::* into;  // null: ["default"]
    };
    std::vector<Named> all;
    const auto consider = [&all](std::string_view name, const ShapingTable* table,
                                 Tables ReplyRules::* into) {
        if (table != nullptr && !table->automation.empty())
            all.push_back({std::string(name), table, into});
    };
    consider("default", policy.table("default"), nullptr);
    for (const ShapingProvider& each : policy.providers())
        consider(each.name, &each, &ReplyRules::providers_);
    for (const std::string_view name : policy.tables())
        consider(name, policy.table(name), &ReplyRules::domains_);

    Problems problems;
    const std::shared_ptr<ReplyRules> rules(new ReplyRules);
    const auto count = static_cast<std::int64_t>(std::max<std::size_t>(all.size(), 1));
    const std::int64_t memory = std::max(kLeastMatchMemory, kMatchMemory / count);
    for (const Named& each : all) {
        std::unique_ptr<RuleTable> made(new RuleTable);
        made->automaton_ = std::make_unique<RuleTable::Automaton>(memory);
        const bool of_provider = each.into == &ReplyRules::providers_;
        for (const AutomationRule& rule : each.table->automation) {
            const FileLine place = policy.place_of(rule);
            ReplyRule one = compiled(rule, (of_provider ? "provider." : "") + each.name,
                                     of_provider, place.to_string());
            // Another file says the same: the later one holds, and a match counts once.
            const auto known = std::ranges::find(made->rules_, one.id, &ReplyRule::id);
            if (known != made->rules_.end()) {
                *known = std::move(one);
                continue;
            }
            made->rules_.push_back(std::move(one));
            for (const std::string& pattern : rule.patterns) {
                // One that RE2 cannot have was a warning when the file was read.
                if (made->automaton_->set.Add(pattern, nullptr) >= 0)
                    made->rule_of_.push_back(made->rules_.size() - 1);
            }
        }
        if (!made->automaton_->set.Compile()) {
            const FileLine place = policy.place_of(each.table);
            problems.push_back({place.file, place.line,
                                "the patterns of automation of \"" + each.name +
                                    "\" together need too much memory"});
        } else if (each.into == nullptr) {
            rules->defaults_ = std::move(made);
        } else {
            (*rules.*each.into)[each.name] = std::move(made);
        }
    }
    if (!problems.empty()) return std::unexpected(std::move(problems));
    return std::shared_ptr<const ReplyRules>(rules);
}

}  // namespace relay
