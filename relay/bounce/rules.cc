#include "relay/bounce/rules.h"

#include <algorithm>
#include <utility>

#include <re2/re2.h>
#include <re2/set.h>

#include "core/base/ascii.h"
#include "core/base/assert.h"

namespace relay {
namespace {

RE2::Options options_of_patterns() {
    RE2::Options options;
    options.set_encoding(RE2::Options::EncodingLatin1);  // replies are octets
    options.set_log_errors(false);
    options.set_max_mem(BounceRules::kMatchMemory);
    return options;
}

bool fits(const EnhancedKey& key, const EnhancedKey& code) {
    return (key.klass == kAnyNumber || key.klass == code.klass) &&
           (key.subject == kAnyNumber || key.subject == code.subject) &&
           (key.detail == kAnyNumber || key.detail == code.detail);
}

// RFC 3463 gives the classes; where a server contradicts itself, its basic code says how final it
// is.
EnhancedKey key_of(const BounceReply& reply) {
    return {static_cast<std::uint16_t>(reply.code / 100), reply.enhanced.subject,
            reply.enhanced.detail};
}

BounceKind kind_of(BounceNature nature, bool permanent) {
    switch (nature) {
        case BounceNature::block:
            return BounceKind::block;
        case BounceNature::passing:
            return BounceKind::soft;
        case BounceNature::address:
        case BounceNature::unknown:
            break;
    }
    return permanent ? BounceKind::hard : BounceKind::soft;
}

}  // namespace

std::string_view to_string(BounceKind kind) {
    constexpr std::array<std::string_view, 3> kNames = {"hard", "soft", "block"};
    return kNames[static_cast<std::size_t>(kind)];
}

struct BounceRules::Automaton {
    RE2::Set set{options_of_patterns(), RE2::UNANCHORED};
};

BounceRules::BounceRules() : automaton_(std::make_unique<Automaton>()) {}
BounceRules::~BounceRules() = default;

std::expected<std::shared_ptr<const BounceRules>, Problems> BounceRules::parse(
    const std::vector<BounceText>& files) {
    std::vector<BounceText> all = files;
    all.push_back({"built-in bounce rules", std::string(built_in_text())});
    return parse_only(all);
}

std::expected<std::shared_ptr<const BounceRules>, Problems> BounceRules::parse_only(
    const std::vector<BounceText>& texts) {
    RuleReader reader;
    for (const BounceText& each : texts)
        reader.file(each);
    std::shared_ptr<BounceRules> rules(new BounceRules);
    rules->tables_ = std::move(reader.tables);
    const bool compiled = rules->compile(reader.problems);
    reader.finish();
    if (!compiled || !reader.problems.empty()) return std::unexpected(std::move(reader.problems));
    return rules;
}

std::shared_ptr<const BounceRules> BounceRules::built_in() {
    static const std::shared_ptr<const BounceRules> kRules = [] {
        auto rules = parse({});
        PH_ASSERT(rules.has_value());
        return *rules;
    }();
    return kRules;
}

bool BounceRules::compile(Problems& problems) {
    for (TextRule& rule : tables_.text) {
        std::string error;
        if (automaton_->set.Add(rule.pattern, &error) < 0) {
            problems.push_back({rule.source->file, rule.line,
                                "\"" + rule.pattern.substr(0, 80) + "\" is no pattern: " + error});
        }
        rule.source = nullptr;  // does not outlive the reading
        rule.pattern.clear();
        rule.pattern.shrink_to_fit();
    }
    if (!problems.empty()) return false;
    if (tables_.text.empty()) return true;
    const auto too_much = [&] {
        problems.push_back(
            {"", 0, "the patterns of all bounce rules together need too much memory"});
        return false;
    };
    if (!automaton_->set.Compile()) return too_much();
    RE2::Set::ErrorInfo error{};
    std::vector<int> found;
    const std::string sample(kMaxReplyText, 'a');
    automaton_->set.Match(sample, &found, &error);
    return error.kind == RE2::Set::kOutOfMemory ? too_much() : true;
}

std::string bounce_line(const BounceReply& reply) {
    std::string line = std::to_string(reply.code);
    line += ' ';
    if (reply.enhanced.klass != 0) {
        line.append(std::to_string(reply.enhanced.klass)).append(".");
        line.append(std::to_string(reply.enhanced.subject)).append(".");
        line.append(std::to_string(reply.enhanced.detail)).append(" ");
    }
    line += reply.text;
    std::ranges::replace(line, '\n', ' ');
    return line;
}

BounceVerdict BounceRules::classify(const BounceReply& reply) const {
    const bool permanent = reply.code >= 500;
    if (reply.code < 400 || reply.code > 599) return {};
    const TextRule* rule = reply.local ? nullptr : first_match(reply);
    BounceClassIndex index = 0;
    if (rule != nullptr) {
        index = rule->klass;
    } else {
        index = by_enhanced_code(reply);
        if (index == 0) index = by_code(reply.code);
    }
    const BounceClassEntry& klass = tables_.classes[index];
    if (permanent && klass.retry && !reply.local) {
        return {klass.name, kind_of(klass.nature, false), false, true};
    }
    const bool suppress = permanent && klass.suppress && (rule == nullptr || !rule->keep);
    return {klass.name, kind_of(klass.nature, permanent), suppress, false};
}

const TextRule* BounceRules::first_match(const BounceReply& reply) const {
    if (tables_.text.empty()) return nullptr;
    std::vector<int> found;
    if (!automaton_->set.Match(bounce_line(reply), &found)) return nullptr;
    std::ranges::sort(found);
    const bool vague = is_vague(reply);
    for (const int index : found) {
        const TextRule& rule = tables_.text[static_cast<std::size_t>(index)];
        if (rule.vague_only && !vague) continue;
        if (rule.hosts != 0 && !from_host(rule, reply.host)) continue;
        return &rule;
    }
    return nullptr;
}

bool BounceRules::from_host(const TextRule& rule, std::string_view host) const {
    if (host.ends_with('.')) host.remove_suffix(1);
    return std::ranges::any_of(tables_.hosts[rule.hosts], [&](const std::string& domain) {
        if (host.size() < domain.size()) return false;
        const std::size_t at = host.size() - domain.size();
        return core::equals_ignoring_case(host.substr(at), domain) &&
               (at == 0 || host[at - 1] == '.');
    });
}

bool BounceRules::is_vague(const BounceReply& reply) const {
    if (reply.enhanced.klass == 0) return true;
    const EnhancedKey code = key_of(reply);
    return std::ranges::any_of(tables_.vague,
                               [&](const EnhancedKey& key) { return fits(key, code); });
}

BounceClassIndex BounceRules::by_enhanced_code(const BounceReply& reply) const {
    if (reply.enhanced.klass == 0) return 0;
    const EnhancedKey code = key_of(reply);
    for (const std::uint16_t detail : {code.detail, kAnyNumber}) {
        for (const std::uint16_t klass : {code.klass, kAnyNumber}) {
            const auto found = tables_.enhanced.find({klass, code.subject, detail});
            if (found != tables_.enhanced.end()) return found->second;
        }
    }
    return 0;
}

BounceClassIndex BounceRules::by_code(std::uint16_t code) const {
    auto found = tables_.code.find(std::to_string(code));
    if (found == tables_.code.end()) found = tables_.code.find(code < 500 ? "4xx" : "5xx");
    return found == tables_.code.end() ? BounceClassIndex{0} : found->second;
}

}  // namespace relay
