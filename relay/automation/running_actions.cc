#include "relay/automation/running_actions.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/base/assert.h"
#include "core/base/toml.h"
#include "relay/shaping/options.h"

namespace relay {

namespace {

using Verb = AutomationVerb;

// Each step is the same part more: receivers that take a hundredth of the limits are approached as
// gently as those that take half.
double level_at(const RunningAction& action, core::WallTime now) {
    const core::Duration all = action.duration();
    if (all <= core::Duration{} || now >= action.until) return 1;
    const auto steps = static_cast<double>((now - action.triggered) *
                                           static_cast<int>(RunningActions::kSteps) / all);
    const double part = steps / static_cast<double>(RunningActions::kSteps);
    return std::pow(action.low, 1 - std::max(part, 0.0));
}

core::WallTime next_change_of(const RunningAction& action) {
    if (action.verb != Verb::reduce) return action.until;
    for (std::size_t step = 1; step < RunningActions::kSteps; ++step) {
        const core::WallTime when = action.triggered + action.duration() * static_cast<int>(step) /
                                                           static_cast<int>(RunningActions::kSteps);
        if (level_at(action, when) > action.level) return when;
    }
    return action.until;
}

// Whose mail an order is about; nothing: the action is one of the path.
std::string subject_of(const RunningAction& action) {
    if (action.is_of_path()) return {};
    return action.tenant + " " + action.campaign + " " + action.domain;
}

bool is_of_tenant(Verb verb) {
    return verb == Verb::suspend_tenant || verb == Verb::bounce_tenant;
}

bool is_of_campaign(Verb verb) {
    return verb == Verb::suspend_campaign || verb == Verb::bounce_campaign;
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out.push_back('\\');
        const auto octet = static_cast<unsigned char>(c);
        if (octet >= 0x80) {  // replies are octets, TOML is UTF-8
            out.push_back('?');
        } else if (octet >= ' ' && octet != 0x7f) {
            out.push_back(c);
        } else {
            out.push_back(' ');
        }
    }
    return out + "\"";
}

std::int64_t ns(core::WallTime when) {
    return when.time_since_epoch().count();
}

}  // namespace

RunningActions::Taken RunningActions::take(const RuleHit& hit, std::size_t place,
                                           core::WallTime now, const RunningAction** running) {
    PH_ASSERT(place < hit.rule->actions.size());
    const RuleAction& action = hit.rule->actions[place];
    RunningAction made{
        .rule = hit.rule->id, .place_in_rule = place, .verb = action.verb, .scope = hit.scope};
    if (!made.is_of_path()) {
        if (is_of_tenant(action.verb) || is_of_campaign(action.verb)) made.tenant = hit.tenant;
        if (is_of_campaign(action.verb)) made.campaign = hit.campaign;
        made.domain = hit.domain;
        if (made.domain.empty() || (is_of_tenant(action.verb) && made.tenant.empty()) ||
            (is_of_campaign(action.verb) && made.campaign.empty())) {
            return Taken::unfit;
        }
    }
    const Key key{hit.rule->id, place, hit.scope.key() + subject_of(made)};
    const auto found = actions_.find(key);
    const bool is_new = found == actions_.end();
    if (!is_new) {
        RunningAction& old = found->second;
        *running = &old;
        const core::Duration least =
            action.verb == Verb::reduce
                ? std::min<core::Duration>(kReduceApart, hit.rule->duration / 10)
                : hit.rule->duration / kLeastProlonged;
        if (now - old.triggered < least) return Taken::nothing;
        old.level = level_at(old, now);
    } else if (actions_.size() >= kMostRunning) {
        make_room();
    }
    RunningAction& one =
        is_new ? actions_.emplace(key, std::move(made)).first->second : found->second;
    if (is_new) {
        one.number = ++numbers_;
        one.began = now;
    } else {
        ++one.times;
    }
    one.option = action.option;
    one.value = action.value;
    one.set = action.set;
    one.place = hit.rule->place;
    one.pattern = hit.rule->pattern;
    one.reply = hit.reply;
    one.triggered = now;
    one.until = now + hit.rule->duration;
    if (action.verb == Verb::reduce)
        one.low = one.level = std::max(one.level * action.factor, 1e-6);
    *running = &one;
    return is_new ? Taken::began : Taken::again;
}

void RunningActions::make_room() {
    const auto first = std::ranges::min_element(
        actions_, {}, [](const auto& entry) { return entry.second.until; });
    if (first != actions_.end()) actions_.erase(first);
}

bool RunningActions::advance(core::WallTime now) {
    bool changed =
        std::erase_if(actions_, [now](const auto& entry) { return entry.second.until <= now; }) > 0;
    for (auto& [key, action] : actions_) {
        if (action.verb != Verb::reduce) continue;
        const double level = level_at(action, now);
        changed = changed || level != action.level;
        action.level = level;
    }
    return changed;
}

core::WallTime RunningActions::next_change() const {
    core::WallTime next = core::WallTime::max();
    for (const auto& [key, action] : actions_)
        next = std::min(next, next_change_of(action));
    return next;
}

bool RunningActions::end(std::uint64_t number) {
    return std::erase_if(actions_,
                         [number](const auto& entry) { return entry.second.number == number; }) > 0;
}

std::shared_ptr<const ActionSet> RunningActions::snapshot() const {
    std::vector<RunningAction> all;
    all.reserve(actions_.size());
    for (const auto& [key, action] : actions_)
        all.push_back(action);
    return std::make_shared<const ActionSet>(std::move(all));
}

std::size_t RunningActions::suspended_paths() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        actions_, [](const auto& entry) { return entry.second.verb == Verb::suspend; }));
}

// ---- over a restart

std::string RunningActions::text() const {
    std::string all = "# Actions of automation that run. Times are nanoseconds since 1970.\n";
    for (const auto& [key, a] : actions_) {
        all += "[[action]]\n";
        const auto text = [&all](std::string_view name, std::string_view value) {
            if (!value.empty()) all.append(name).append(" = ").append(quoted(value)).append("\n");
        };
        const auto number = [&all](std::string_view name, std::int64_t value) {
            all.append(name).append(" = ").append(std::to_string(value)).append("\n");
        };
        text("verb", to_string(a.verb));
        text("rule", std::to_string(a.rule));
        number("place_in_rule", static_cast<std::int64_t>(a.place_in_rule));
        text("source", a.scope.source);
        text("provider", a.scope.provider);
        text("site", a.scope.site);
        text("tenant", a.tenant);
        text("campaign", a.campaign);
        text("domain", a.domain);
        text("option", a.option);
        text("value", a.value);
        number("low", static_cast<std::int64_t>(a.low * 1e9));
        text("place", a.place);
        text("pattern", a.pattern);
        text("reply", a.reply);
        number("began", ns(a.began));
        number("triggered", ns(a.triggered));
        number("until", ns(a.until));
        number("times", static_cast<std::int64_t>(a.times));
    }
    return all;
}

namespace {

// In a file, from one trigger to the end: whatever is longer is no action of ours.
constexpr core::Duration kLongestAction = std::chrono::days{3650};

std::string text_of(const core::TomlValue& table, std::string_view name) {
    const core::TomlMember* const found = table.find(name);
    return found == nullptr ? std::string() : found->value.text;
}

std::int64_t number_of(const core::TomlValue& table, std::string_view name) {
    const core::TomlMember* const found = table.find(name);
    return found == nullptr ? 0 : found->value.integer;
}

core::WallTime time_of(const core::TomlValue& table, std::string_view name) {
    return core::WallTime(core::Duration(number_of(table, name)));
}

bool read_verb(const std::string& word, AutomationVerb& verb) {
    for (std::size_t i = 0; i < kAutomationVerbs; ++i) {
        verb = static_cast<AutomationVerb>(i);
        if (to_string(verb) == word) return true;
    }
    return false;
}

// The option as a shaping file would set it.
bool read_option(RunningAction& action) {
    if (action.option.empty()) return action.verb != Verb::set_config;
    const ShapingOption* const option = find_shaping_option(action.option);
    const auto value = core::parse_toml("v = " + action.value);
    if (option == nullptr || !value || value->find("v") == nullptr) return false;
    action.set = option->read(value->find("v")->value).set;
    return static_cast<bool>(action.set);
}

bool read_action(const core::TomlValue& table, RunningAction& action) {
    if (!read_verb(text_of(table, "verb"), action.verb)) return false;
    const std::string rule = text_of(table, "rule");
    const auto [end, error] = std::from_chars(rule.data(), rule.data() + rule.size(), action.rule);
    if (error != std::errc{} || end != rule.data() + rule.size()) return false;
    action.place_in_rule = static_cast<std::size_t>(number_of(table, "place_in_rule"));
    action.scope = {text_of(table, "source"), text_of(table, "provider"), text_of(table, "site")};
    action.tenant = text_of(table, "tenant");
    action.campaign = text_of(table, "campaign");
    action.domain = text_of(table, "domain");
    action.option = text_of(table, "option");
    action.value = text_of(table, "value");
    action.low = static_cast<double>(number_of(table, "low")) / 1e9;
    action.place = text_of(table, "place");
    action.pattern = text_of(table, "pattern");
    action.reply = text_of(table, "reply");
    action.began = time_of(table, "began");
    action.triggered = time_of(table, "triggered");
    action.until = time_of(table, "until");
    action.times = static_cast<std::uint64_t>(number_of(table, "times"));
    const bool in_order = action.began > core::WallTime{} && action.began <= action.triggered &&
                          action.triggered < action.until &&
                          action.until - action.triggered <= kLongestAction;
    return in_order && action.low > 0 && action.low <= 1 && read_option(action);
}

}  // namespace

std::string RunningActions::read(std::string_view text, core::WallTime now) {
    const auto root = core::parse_toml(text);
    if (!root) return root.error().sentence;
    const core::TomlMember* const all = root->find("action");
    std::size_t wrong = 0;
    if (all == nullptr) return {};
    for (const core::TomlValue& table : all->value.items) {
        RunningAction action;
        if (actions_.size() >= kMostRunning || !read_action(table, action)) {
            ++wrong;
            continue;
        }
        if (action.until <= now) continue;
        action.number = ++numbers_;
        action.level = level_at(action, now);
        const Key key{action.rule, action.place_in_rule, action.scope.key() + subject_of(action)};
        actions_.insert_or_assign(key, std::move(action));
    }
    return wrong == 0 ? std::string() : std::to_string(wrong) + " actions are not understood";
}

}  // namespace relay
