#include "relay/shaping/policy.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/spelling.h"
#include "core/base/toml.h"
#include "relay/shaping/options.h"

namespace relay {
namespace {

using core::TomlMember;
using core::TomlValue;
using Kind = TomlValue::Kind;

// What one table says; the rest comes from the table below it.
struct Overrides {
    std::optional<std::uint32_t> connection_limit;
    std::optional<std::uint32_t> max_deliveries_per_connection;
    std::optional<core::Rate> max_message_rate;
    std::optional<core::Rate> max_connection_rate;
    std::optional<TlsPolicy> tls;
    std::optional<IpLookup> ip_lookup;
    std::optional<Reconnect> reconnect;
    std::optional<bool> bounce_upon_5xx_greeting;
    std::optional<std::uint32_t> max_recipients_per_batch;
    std::optional<bool> enable_pipelining;
    std::optional<PipelineNext> pipeline_next;
    std::optional<std::vector<core::Duration>> retry_intervals;
    std::optional<core::Duration> max_age;
    std::vector<std::pair<core::Duration TimeLimits::*, core::Duration>> times;  // later ones win

    void apply(ShapingLimits& limits) const {
        if (connection_limit) limits.connection_limit = *connection_limit;
        if (max_deliveries_per_connection) {
            limits.max_deliveries_per_connection = *max_deliveries_per_connection;
        }
        if (max_message_rate) limits.max_message_rate = *max_message_rate;
        if (max_connection_rate) limits.max_connection_rate = *max_connection_rate;
        if (tls) limits.tls = tls;
        if (ip_lookup) limits.ip_lookup = *ip_lookup;
        if (reconnect) limits.reconnect = *reconnect;
        if (bounce_upon_5xx_greeting) limits.bounce_upon_5xx_greeting = *bounce_upon_5xx_greeting;
        if (retry_intervals || max_age) {
            RetryRule rule = limits.retry == nullptr ? RetryRule{} : *limits.retry;
            if (retry_intervals) rule.intervals = *retry_intervals;
            if (max_age) rule.max_age = *max_age;
            limits.retry = std::make_shared<const RetryRule>(std::move(rule));
        }
        if (max_recipients_per_batch) limits.max_recipients_per_batch = *max_recipients_per_batch;
        if (enable_pipelining) limits.enable_pipelining = *enable_pipelining;
        if (pipeline_next) limits.pipeline_next = *pipeline_next;
        if (!times.empty()) {
            TimeLimits all = limits.time_limits();
            for (const auto& [member, time] : times)
                all.*member = time;
            limits.times = std::make_shared<const TimeLimits>(all);
        }
    }
};

constexpr std::string_view kDefaultTable = "default";
constexpr std::string_view kProviderTable = "provider";
constexpr std::array kReservedTables{kDefaultTable, kProviderTable};

std::string normalized(std::string_view domain) {
    if (domain.ends_with('.')) domain.remove_suffix(1);
    return core::to_lower(domain);
}

// A key such as "local:10": KumoMTA's way to say that a limit is not shared among nodes. Ours never
// are, so the word changes nothing.
std::string_view without_local(std::string_view text) {
    constexpr std::string_view kLocal = "local:";
    return text.starts_with(kLocal) ? text.substr(kLocal.size()) : text;
}

// Those of one file, which come in the order of the keys.
void sort_by_line(Problems& problems, std::size_t first) {
    std::ranges::sort(problems.begin() + static_cast<std::ptrdiff_t>(first), problems.end(), {},
                      [](const Problem& each) { return std::tie(each.line, each.sentence); });
}

class ShapingParser {
  public:
    void file(const ShapingText& source) {
        file_ = source.file;
        const auto root = core::parse_toml(source.text);
        if (!root) return problem(root.error().line, root.error().sentence);
        const std::size_t warnings_before = warnings.size();
        const std::size_t problems_before = problems.size();
        for (const TomlMember& member : root->members) {
            if (member.key == kProviderTable) {
                providers(member);
            } else if (member.value.kind != Kind::table) {
                not_a_table(member);
            } else {
                domain(member);
            }
        }
        sort_by_line(problems, problems_before);
        sort_by_line(warnings, warnings_before);
    }

    Problems problems;
    Problems warnings;
    Overrides defaults;
    std::map<std::string, Overrides> domains;

  private:
    void problem(int line, std::string sentence) {
        problems.push_back({file_, line, std::move(sentence)});
    }
    void warning(int line, std::string sentence) {
        warnings.push_back({file_, line, std::move(sentence)});
    }

    void providers(const TomlMember& member) {
        for (const TomlMember& each : member.value.members) {
            warning(each.line, "[provider.\"" + each.key +
                                   "\"]: providers are not available in this version; it has no "
                                   "effect");
        }
    }

    void not_a_table(const TomlMember& member) {
        problem(member.line, "\"" + member.key.substr(0, 80) +
                                 "\" must be a table: options stand below [\"default\"] or a "
                                 "domain such as [\"example.com\"]");
    }

    void domain(const TomlMember& member) {
        const std::string name = normalized(member.key);
        const bool is_domain = !name.empty() && name.size() <= 253 &&
                               name.find_first_of(" \t@/*") == std::string::npos;
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
        if (name != kDefaultTable && domains.size() >= kMostDomainTables &&
            !domains.contains(name)) {
            return problem(member.line, "there are more than " + std::to_string(kMostDomainTables) +
                                            " tables of domains");
        }
        Overrides& into = name == kDefaultTable ? defaults : domains[name];
        const TomlMember* replace = member.value.find("replace_base");
        if (replace != nullptr && replace->value.kind == Kind::boolean && replace->value.boolean) {
            into = {};
        }
        for (const TomlMember& each : member.value.members)
            option(name, each, into);
    }

    void option(const std::string& table, const TomlMember& member, Overrides& into) {
        const std::string& key = member.key;
        if (key == "connection_limit") {
            number(table, member, kMostConnectionsPerPath, into.connection_limit);
        } else if (key == "max_deliveries_per_connection") {
            number(table, member, kMostDeliveriesPerConnection, into.max_deliveries_per_connection);
        } else if (key == "max_message_rate") {
            rate(table, member, into.max_message_rate);
        } else if (key == "max_connection_rate") {
            rate(table, member, into.max_connection_rate);
        } else if (key == "tls") {
            tls_policy(table, member, into.tls);
        } else if (key == "enable_tls") {
            kumo_tls(table, member, into.tls);
        } else if (key == "ip_lookup_strategy") {
            word(table, member, kIpLookupWords, into.ip_lookup);
        } else if (key == "reconnect_strategy") {
            word(table, member, kReconnectWords, into.reconnect);
        } else if (key == "bounce_upon_5xx_greeting") {
            flag(table, member, into.bounce_upon_5xx_greeting);
        } else if (key == "enable_pipelining") {
            flag(table, member, into.enable_pipelining);
        } else if (key == "pipeline_next") {
            word(table, member, kPipelineNextWords, into.pipeline_next);
        } else if (key == "max_recipients_per_batch") {
            number(table, member, kMostRecipientsPerBatch, into.max_recipients_per_batch);
        } else if (key == "retry_intervals") {
            times(table, member, into.retry_intervals);
        } else if (key == "max_age") {
            into.max_age = time(member.value, std::chrono::seconds{1});
            if (!into.max_age) wrong(table, member, "a time such as \"2d\"");
        } else if (key == "replace_base") {
            if (member.value.kind != Kind::boolean) wrong(table, member, "true or false");
        } else if (key == "mx_rollup" && member.value.kind == Kind::boolean &&
                   !member.value.boolean) {
            // What a table means here anyway: the domain has paths of its own.
        } else if (key == "mx_rollup") {
            warning(member.line, "[\"" + table + "\"] mx_rollup: a domain with a table has paths " +
                                     "of its own in this version, whatever its MX hosts");
        } else if (const auto* known =
                       std::ranges::find(kTimeLimitOptions, key, &TimeLimitOption::name);
                   known != kTimeLimitOptions.end()) {
            time_limit(table, member, *known, into);
        } else if (std::ranges::find(kKumoOptions, key) != kKumoOptions.end()) {
            warning(member.line, "[\"" + table + "\"] " + key +
                                     " is KumoMTA's and not available in this version; it has no "
                                     "effect");
        } else {
            unknown(table, member);
        }
    }

    void unknown(const std::string& table, const TomlMember& member) {
        std::vector<std::string_view> known(kShapingOptions.begin(), kShapingOptions.end());
        for (const TimeLimitOption& each : kTimeLimitOptions)
            known.push_back(each.name);
        std::ranges::copy(kKumoOptions, std::back_inserter(known));
        std::string sentence =
            "[\"" + table + "\"] has no option \"" + member.key.substr(0, 80) + "\"";
        const std::string_view guess = core::nearest(member.key, known);
        if (!guess.empty()) sentence.append("; is \"").append(guess).append("\" meant?");
        problem(member.line, std::move(sentence));
    }

    void wrong(const std::string& table, const TomlMember& member, const std::string& expected) {
        problem(member.line, "[\"" + table + "\"] " + member.key + " must be " + expected);
    }

    void flag(const std::string& table, const TomlMember& member, std::optional<bool>& out) {
        if (member.value.kind != Kind::boolean) return wrong(table, member, "true or false");
        out = member.value.boolean;
    }

    void tls_policy(const std::string& table, const TomlMember& member,
                    std::optional<TlsPolicy>& out) {
        for (const TlsPolicy policy :
             {TlsPolicy::none, TlsPolicy::opportunistic, TlsPolicy::encrypt, TlsPolicy::verify}) {
            if (member.value.text == to_string(policy)) out = policy;
        }
        if (member.value.kind != Kind::text || !out || to_string(*out) != member.value.text) {
            wrong(table, member, R"("none", "opportunistic", "encrypt" or "verify")");
        }
    }

    void kumo_tls(const std::string& table, const TomlMember& member,
                  std::optional<TlsPolicy>& out) {
        const auto word = std::ranges::find(kKumoTlsWords, member.value.text,
                                            [](const auto& each) { return each.first; });
        if (word == kKumoTlsWords.end()) {
            return wrong(table, member,
                         R"("Disabled", "Opportunistic", "OpportunisticInsecure", )"
                         R"("RequiredInsecure" or "Required")");
        }
        out = word->second;
    }

    static std::optional<core::Duration> time(const TomlValue& value, core::Duration least) {
        if (value.kind != Kind::text) return std::nullopt;
        const auto parsed = core::parse_duration(value.text);
        return parsed && *parsed >= least ? std::optional<core::Duration>(*parsed) : std::nullopt;
    }

    void times(const std::string& table, const TomlMember& member,
               std::optional<std::vector<core::Duration>>& out) {
        std::vector<core::Duration> all;
        for (const TomlValue& item : member.value.items) {
            const auto one = time(item, std::chrono::milliseconds{1});
            if (one) all.push_back(*one);
        }
        if (member.value.kind != Kind::array || all.empty() ||
            all.size() != member.value.items.size() || all.size() > kMostRetryIntervals) {
            return wrong(table, member, "a list of times such as [\"5m\", \"1h\"]");
        }
        out = std::move(all);
    }

    void time_limit(const std::string& table, const TomlMember& member,
                    const TimeLimitOption& known, Overrides& into) {
        const auto value = time(member.value, kShortestTimeLimit);
        if (!value || *value > kLongestTimeLimit) {
            return wrong(table, member, "a time from \"1s\" to \"1d\"");
        }
        into.times.emplace_back(known.member, *value);
        if (*value >= known.least) return;
        // Whoever gives up before the reply to the final dot sends the message again.
        const bool dot = known.member == &TimeLimits::data_dot;
        warning(member.line,
                "[\"" + table + "\"] " + member.key + " = \"" + member.value.text +
                    "\" is below the least of RFC 5321 section " + std::string(known.section) +
                    ", " + std::to_string(known.least / std::chrono::minutes{1}) + "m: " +
                    (dot ? "a server that takes the message and answers later gets it twice"
                         : "a server that is slower gets no mail"));
    }

    template <class Value, std::size_t kWords>
    void word(const std::string& table, const TomlMember& member,
              const std::array<std::pair<std::string_view, Value>, kWords>& words,
              std::optional<Value>& out) {
        std::string all;
        for (const auto& [name, value] : words) {
            if (member.value.kind == Kind::text && member.value.text == name) {
                out = value;
                return;
            }
            all.append(all.empty() ? "\"" : ", \"").append(name).append("\"");
        }
        wrong(table, member, "one of " + all);
    }

    void number(const std::string& table, const TomlMember& member, std::uint32_t most,
                std::optional<std::uint32_t>& out) {
        std::int64_t value = member.value.integer;
        if (member.value.kind == Kind::text) {  // "local:10"
            const auto rate = core::parse_rate(std::string(without_local(member.value.text)) +
                                               "/s");  // the number of a rate
            value = rate ? static_cast<std::int64_t>(rate->count) : 0;
        } else if (member.value.kind != Kind::integer) {
            value = 0;
        }
        if (value < 1 || value > most) {
            return wrong(table, member, "an integer from 1 to " + std::to_string(most));
        }
        out = static_cast<std::uint32_t>(value);
    }

    void rate(const std::string& table, const TomlMember& member, std::optional<core::Rate>& out) {
        if (member.value.kind != Kind::text) {
            return wrong(table, member, "a rate in quotes such as \"100/s\"");
        }
        std::string_view text = without_local(member.value.text);
        if (const auto comma = text.find(",max_burst"); comma != std::string_view::npos) {
            warning(member.line, "[\"" + table + "\"] " + member.key +
                                     ": max_burst is not available in this version; it has no "
                                     "effect");
            text = text.substr(0, comma);
        }
        const auto parsed = core::parse_rate(text);
        if (!parsed) return wrong(table, member, "a rate: " + parsed.error());
        out = *parsed;
    }

    std::string file_;
};

}  // namespace

ShapingPolicy::ShapingPolicy(const ShapingLimits& defaults) : defaults_(defaults) {}

std::expected<ShapingPolicy::Loaded, Problems> ShapingPolicy::parse(
    const std::vector<ShapingText>& texts, const ShapingLimits& defaults) {
    ShapingParser parser;
    for (const ShapingText& each : texts)
        parser.file(each);
    if (!parser.problems.empty()) return std::unexpected(std::move(parser.problems));

    ShapingPolicy policy(defaults);
    parser.defaults.apply(policy.defaults_);
    policy.states_rate_ = parser.defaults.max_message_rate.has_value();
    policy.tables_.reserve(parser.domains.size());
    for (const auto& [domain, overrides] : parser.domains) {
        Entry entry{policy.defaults_, 0,
                    policy.states_rate_ || overrides.max_message_rate.has_value()};
        overrides.apply(entry.limits);
        if (policy.provider_names_.size() <= kMostNamedProviders) {
            entry.provider = policy.provider_names_.size();
            policy.provider_names_.push_back(domain);
        }
        policy.tables_.emplace(domain, entry);
    }
    return Loaded{std::move(policy), std::move(parser.warnings)};
}

const ShapingPolicy::Entry* ShapingPolicy::find(std::string_view domain) const {
    if (tables_.empty()) return nullptr;
    if (domain.ends_with('.')) domain.remove_suffix(1);
    std::array<char, 253> lower;
    if (domain.size() > lower.size()) return nullptr;  // longer than any name in DNS
    std::ranges::transform(domain, lower.begin(), core::ascii_lower);
    const auto found = tables_.find(std::string_view(lower.data(), domain.size()));
    return found == tables_.end() ? nullptr : &found->second;
}

const ShapingLimits& ShapingPolicy::limits_for(std::string_view domain) const {
    const Entry* entry = find(domain);
    return entry == nullptr ? defaults_ : entry->limits;
}

std::string_view ShapingPolicy::table_for(std::string_view domain, std::string_view host) const {
    if (has_table(domain)) return domain;
    return has_table(host) ? host : std::string_view();
}

bool ShapingPolicy::states_message_rate(std::string_view domain) const {
    const Entry* entry = find(domain);
    return entry == nullptr ? states_rate_ : entry->states_rate;
}

bool ShapingPolicy::has_table(std::string_view domain) const {
    return find(domain) != nullptr;
}

void ShapingPolicy::keep_numbers(const std::vector<std::string>& names) {
    const std::vector<std::string> ours = std::exchange(provider_names_, names);
    std::unordered_map<std::string_view, std::size_t> numbers;
    for (std::size_t i = 1; i < names.size(); ++i)
        numbers.emplace(names[i], i);
    for (auto& [domain, entry] : tables_) {
        const auto known = numbers.find(domain);
        entry.provider = known == numbers.end() ? 0 : known->second;
    }
    for (std::size_t i = 1; i < ours.size(); ++i) {
        if (numbers.contains(ours[i]) || provider_names_.size() > kMostNamedProviders) continue;
        tables_.find(ours[i])->second.provider = provider_names_.size();
        provider_names_.push_back(ours[i]);
    }
}

std::size_t ShapingPolicy::provider_of(std::string_view domain) const {
    const Entry* entry = find(domain);
    return entry == nullptr ? 0 : entry->provider;
}

}  // namespace relay
