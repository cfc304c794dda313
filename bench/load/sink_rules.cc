#include "bench/load/sink_rules.h"

#include <array>
#include <charconv>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/units.h"

namespace bench {
namespace {

constexpr std::array<std::pair<std::string_view, Stage>, 13> kStages = {{
    {"CONNECT", Stage::connect},
    {"EHLO", Stage::ehlo},
    {"HELO", Stage::ehlo},
    {"STARTTLS", Stage::starttls},
    {"MAIL", Stage::mail},
    {"RCPT", Stage::rcpt},
    {"DATA", Stage::data},
    {"CONTENT", Stage::content},
    {"DOT", Stage::dot},
    {"RSET", Stage::rset},
    {"NOOP", Stage::noop},
    {"QUIT", Stage::quit},
    {"ANY", Stage::any},
}};

template <typename Number>
core::Result<Number> read_number(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return core::failure("not a number: \"" + std::string(text) + "\"");
    }
    return number;
}

bool in_domain(std::string_view pattern, std::string_view mailbox) {
    if (pattern.empty()) return true;
    const std::string_view domain = domain_of(mailbox);
    if (pattern.front() != '.') return core::equals_ignoring_case(domain, pattern);
    return domain.size() > pattern.size() &&
           core::equals_ignoring_case(domain.substr(domain.size() - pattern.size()), pattern);
}

// The same share of events for the same number of events, so that runs can be compared.
double spread(std::uint64_t n) {
    n = (n ^ (n >> 31)) * 0x9e3779b97f4a7c15U;
    n = (n ^ (n >> 29)) * 0xbf58476d1ce4e5b9U;
    return static_cast<double>((n ^ (n >> 32)) >> 11) * 0x1p-53;
}

}  // namespace

std::string_view domain_of(std::string_view mailbox) {
    const auto at = mailbox.rfind('@');
    return at == std::string_view::npos ? std::string_view{} : mailbox.substr(at + 1);
}

core::Result<std::string> reply_lines(std::string_view text) {
    if (text.size() < 3 || !core::is_digit(text[0]) || !core::is_digit(text[1]) ||
        !core::is_digit(text[2]) || (text.size() > 3 && text[3] != ' ')) {
        return core::failure("a reply is \"code text\", not \"" + std::string(text) + "\"");
    }
    const std::string_view code = text.substr(0, 3);
    std::string_view rest = text.size() > 3 ? text.substr(4) : std::string_view{};
    std::string lines;
    for (;;) {
        const auto cut = rest.find("\\n");
        lines += code;
        lines += cut == std::string_view::npos ? ' ' : '-';
        lines += rest.substr(0, cut);
        lines += "\r\n";
        if (cut == std::string_view::npos) return lines;
        rest = rest.substr(cut + 2);
    }
}

core::Result<void> SinkRules::add(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return core::failure("a rule is \"STAGE[@domain]: part\"");
    std::string_view where = core::trim(text.substr(0, colon));
    auto rule = std::make_unique<Rule>();
    if (const auto at = where.find('@'); at != std::string_view::npos) {
        rule->domain = core::to_lower(where.substr(at + 1));
        if (rule->domain.starts_with("*.")) rule->domain.erase(0, 1);
        if (rule->domain == "*") rule->domain.clear();
        where = where.substr(0, at);
    }
    bool known = false;
    for (const auto& [name, stage] : kStages) {
        if (!core::equals_ignoring_case(where, name)) continue;
        rule->stage = stage;
        known = true;
    }
    if (!known) return core::failure("unknown stage \"" + std::string(where) + "\"");

    for (std::string_view rest = text.substr(colon + 1); !rest.empty();) {
        const auto cut = rest.find(';');
        const std::string_view part = core::trim(rest.substr(0, cut));
        rest = cut == std::string_view::npos ? std::string_view{} : rest.substr(cut + 1);
        if (part.empty()) continue;
        if (auto read = read_part(*rule, part); !read) return read;
    }
    if (rule->reply.empty() && rule->delay.count() == 0 && rule->ending == Ending::none) {
        return core::failure("the rule does nothing: \"" + std::string(text) + "\"");
    }
    if (rule->reply.starts_with("421") && rule->ending == Ending::none) {
        rule->ending = Ending::close;
    }
    stages_ |= rule->stage == Stage::any ? ~0U : 1U << static_cast<unsigned>(rule->stage);
    rules_.push_back(std::move(rule));
    return {};
}

core::Result<void> SinkRules::read_part(Rule& rule, std::string_view part) {
    if (core::is_digit(part.front())) {
        auto lines = reply_lines(part);
        if (!lines) return core::failure(lines.error());
        rule.reply = std::move(*lines);
        return {};
    }
    const auto space = part.find(' ');
    const std::string word = core::to_lower(part.substr(0, space));
    const std::string_view value =
        space == std::string_view::npos ? std::string_view{} : core::trim(part.substr(space));
    constexpr std::array<std::pair<std::string_view, Ending>, 4> kEndings = {{
        {"close", Ending::close},
        {"drop", Ending::drop},
        {"reset", Ending::reset},
        {"stall", Ending::stall},
    }};
    for (const auto& [name, ending] : kEndings) {
        if (word != name) continue;
        rule.ending = ending;
        return {};
    }
    return read_choice(rule, word, value);
}

core::Result<void> SinkRules::read_choice(Rule& rule, std::string_view word,
                                          std::string_view value) {
    if (word == "delay" || word == "greylist" || word == "from" || word == "until") {
        auto duration = core::parse_duration(value);
        if (!duration) return core::failure(duration.error());
        if (word == "delay") rule.delay = *duration;
        if (word == "from") rule.from = *duration;
        if (word == "until") rule.until = *duration;
        if (word == "greylist") {
            rule.greylist = *duration;
            if (rule.reply.empty()) rule.reply = "451 4.7.1 Greylisted, try again later\r\n";
        }
        return {};
    }
    if (word == "chance") {
        auto percent = read_number<double>(value.substr(0, value.find('%')));
        if (!percent) return core::failure(percent.error());
        rule.chance = *percent / 100;
        return {};
    }
    if (word != "every" && word != "first" && word != "after") {
        return core::failure("unknown part \"" + std::string(word) + "\"");
    }
    auto number = read_number<std::uint64_t>(value);
    if (!number) return core::failure(number.error());
    if (word == "every") rule.every = *number;
    if (word == "first") rule.first = *number;
    if (word == "after") rule.after = *number;
    return {};
}

bool SinkRules::chooses(Rule& rule, std::string_view mailbox, std::string_view key,
                        core::Instant now) {
    if (!in_domain(rule.domain, mailbox)) return false;
    const core::Duration age = now - started_;
    if (age < rule.from || age >= rule.until) return false;
    std::uint64_t match = rule.matches.fetch_add(1, std::memory_order_relaxed) + 1;
    if (match <= rule.after) return false;
    match -= rule.after;
    if (rule.first > 0 && match > rule.first) return false;
    if (rule.every > 0 && match % rule.every != 0) return false;
    if (rule.chance < 1.0 && spread(match) >= rule.chance) return false;
    if (rule.greylist.count() == 0) return true;
    const std::scoped_lock lock(rule.guard);
    const auto known = rule.seen.find(std::string(key));
    if (known != rule.seen.end()) return now - known->second < rule.greylist;
    if (rule.seen.size() >= kMaxGreylisted) return false;
    rule.seen.emplace(key, now);
    return true;
}

Verdict SinkRules::judge(Stage stage, std::string_view mailbox, std::string_view key,
                         core::Instant now) {
    for (const auto& rule : rules_) {
        if (rule->stage != stage && rule->stage != Stage::any) continue;
        if (!chooses(*rule, mailbox, key, now)) continue;
        return {rule->reply, rule->delay, rule->ending};
    }
    return {};
}

}  // namespace bench
