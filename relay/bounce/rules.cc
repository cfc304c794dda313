#include "relay/bounce/rules.h"

#include <algorithm>
#include <utility>

#include <re2/re2.h>
#include <re2/set.h>

#include "core/base/ascii.h"
#include "core/base/assert.h"
#include "relay/message/disposition.h"

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
    return {static_cast<std::uint16_t>(reply.said.code / 100), reply.said.enhanced.subject,
            reply.said.enhanced.detail};
}

BounceClassIndex class_index(std::string_view name) {
    const auto found = std::ranges::find(kBounceClasses, name, &BounceClassFacts::name);
    PH_ASSERT(found != kBounceClasses.end());
    return static_cast<BounceClassIndex>(found - kBounceClasses.begin());
}

// About us, or the sender: before the server heard of a recipient.
bool is_before_recipients(Asked asked) {
    return asked < Asked::rcpt || asked == Asked::nothing;
}

// Whether the reply can say that an address will not work again.
bool is_about_one_address(const BounceReply& reply) {
    const bool content = reply.asked == Asked::content && reply.recipients == 1;
    return reply.local || reply.asked == Asked::rcpt || content;
}

BounceKind kind_of(BounceNature nature, const BounceReply& reply) {
    const bool final = reply.said.code >= 500 && !reply.deferred;
    if (nature == BounceNature::block) return BounceKind::block;
    if (nature == BounceNature::passing || !final) return BounceKind::soft;
    if (is_about_one_address(reply)) return BounceKind::hard;
    // Of several recipients, one; of anything else, we, the sender or the content.
    const bool several = nature == BounceNature::address && !is_before_recipients(reply.asked);
    return several ? BounceKind::soft : BounceKind::block;
}

}  // namespace

std::string_view to_string(BounceKind kind) {
    constexpr std::array<std::string_view, 3> kNames = {"hard", "soft", "block"};
    return kNames[static_cast<std::size_t>(kind)];
}

struct BounceRules::Patterns {
    RE2::Set set{options_of_patterns(), RE2::UNANCHORED};
    std::vector<std::size_t> rules;  // of each pattern, in order
};

BounceRules::BounceRules()
    : given_(std::make_unique<Patterns>()), built_in_(std::make_unique<Patterns>()) {}
BounceRules::~BounceRules() = default;

std::expected<std::shared_ptr<const BounceRules>, Problems> BounceRules::parse(
    const std::vector<BounceText>& files) {
    std::vector<BounceText> all = files;
    all.push_back({"built-in bounce rules", std::string(built_in_text()), true});
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
    for (std::size_t i = 0; i < tables_.text.size(); ++i) {
        TextRule& rule = tables_.text[i];
        Patterns& patterns = rule.built_in ? *built_in_ : *given_;
        std::string error;
        if (patterns.set.Add(rule.pattern, &error) < 0) {
            problems.push_back({rule.source->file, rule.line,
                                "\"" + rule.pattern.substr(0, 80) + "\" is no pattern: " + error});
        }
        patterns.rules.push_back(i);
        rule.source = nullptr;  // does not outlive the reading
        rule.pattern.clear();
        rule.pattern.shrink_to_fit();
    }
    return problems.empty() && compile(*given_, problems) && compile(*built_in_, problems);
}

bool BounceRules::compile(Patterns& patterns, Problems& problems) const {
    if (patterns.rules.empty()) return true;
    const auto too_much = [&] {
        problems.push_back(
            {"", 0, "the patterns of all bounce rules together need too much memory"});
        return false;
    };
    if (!patterns.set.Compile()) return too_much();
    RE2::Set::ErrorInfo error{};
    std::vector<int> found;
    const std::string sample(kMaxReplyText, 'a');
    patterns.set.Match(sample, &found, &error);
    return error.kind == RE2::Set::kOutOfMemory ? too_much() : true;
}

std::string bounce_line(const BounceReply& reply) {
    std::string line = to_string(reply.said);
    std::ranges::replace(line, '\n', ' ');
    return line;
}

std::string without_addresses(std::string_view line) {
    // An address ends where one of these stands; quoted local parts are rare enough.
    constexpr std::string_view kEnds = " \t<>()[]{}\"',;:=|";
    std::string out;
    out.reserve(line.size());
    while (!line.empty()) {
        const std::size_t length = std::min(line.find_first_of(kEnds), line.size());
        const std::string_view word = line.substr(0, length);
        const std::size_t at = word.find('@');
        const bool address = at != std::string_view::npos && at > 0 && at + 1 < word.size();
        out += address ? std::string_view("x@x") : word;
        const std::size_t next = std::min(length + 1, line.size());
        out += line.substr(length, next - length);
        line.remove_prefix(next);
    }
    return out;
}

BounceVerdict BounceRules::classify(const BounceReply& reply) const {
    if (reply.said.code < 400 || reply.said.code > 599) return {};
    const bool permanent = reply.said.code >= 500 && !reply.deferred;
    const TextRule* rule = reply.local ? nullptr : first_match(reply);
    const BounceClassIndex index =
        rule != nullptr && !rule->built_in
            ? rule->klass
            : as_asked(rule != nullptr ? rule->klass : by_codes(reply), reply);
    const BounceClassEntry& klass = tables_.classes[index];
    if (permanent && klass.retry && !reply.local) {
        BounceReply again = reply;
        again.deferred = true;
        return {klass.name, kind_of(klass.nature, again), false, true};
    }
    const bool suppress = permanent && klass.suppress && is_about_one_address(reply) &&
                          (rule == nullptr || !rule->keep);
    return {klass.name, kind_of(klass.nature, reply), suppress, false};
}

BounceClassIndex BounceRules::by_codes(const BounceReply& reply) const {
    const BounceClassIndex index = by_enhanced_code(reply);
    return index != 0 ? index : by_code(reply.said.code);
}

// Words or a code about an address, in reply to what names no recipient, mean the sender or us.
BounceClassIndex BounceRules::as_asked(BounceClassIndex index, const BounceReply& reply) const {
    const bool address = tables_.classes[index].nature == BounceNature::address;
    if (!address || reply.local || !is_before_recipients(reply.asked)) return index;
    return class_index(reply.asked == Asked::mail ? "InvalidSender" : "PolicyRelated");
}

const TextRule* BounceRules::first_match(const BounceReply& reply) const {
    const std::string line = bounce_line(reply);
    if (const TextRule* rule = first_of(*given_, line, reply)) return rule;
    const bool names = line.contains('@');
    return first_of(*built_in_, names ? without_addresses(line) : line, reply);
}

const TextRule* BounceRules::first_of(const Patterns& patterns, const std::string& line,
                                      const BounceReply& reply) const {
    if (patterns.rules.empty()) return nullptr;
    std::vector<int> found;
    if (!patterns.set.Match(line, &found)) return nullptr;
    std::ranges::sort(found);
    for (const int index : found) {
        const TextRule& rule = tables_.text[patterns.rules[static_cast<std::size_t>(index)]];
        if (applies(rule, reply)) return &rule;
    }
    return nullptr;
}

bool BounceRules::applies(const TextRule& rule, const BounceReply& reply) const {
    const unsigned asked = 1U << static_cast<unsigned>(reply.asked);
    if (rule.commands != 0 && (rule.commands & asked) == 0) return false;
    if (rule.vague_only && !is_vague(reply)) return false;
    return rule.hosts == 0 || from_host(rule, reply.host);
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
    if (reply.said.enhanced.klass == 0) return true;
    const EnhancedKey code = key_of(reply);
    return std::ranges::any_of(tables_.vague,
                               [&](const EnhancedKey& key) { return fits(key, code); });
}

BounceClassIndex BounceRules::by_enhanced_code(const BounceReply& reply) const {
    if (reply.said.enhanced.klass == 0) return 0;
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
