#include "relay/shaping/options.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/ascii.h"
#include "relay/shaping/throttle.h"

namespace relay {
namespace {

using core::TomlValue;
using Kind = TomlValue::Kind;

ReadLimit wrong(std::string expected) {
    return {{}, std::move(expected), {}};
}

std::string in_quotes(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

template <std::uint32_t ShapingLimits::* kMember, std::uint32_t kMost>
ReadLimit read_number(const TomlValue& value) {
    std::int64_t number = value.kind == Kind::integer ? value.integer : 0;
    if (value.kind == Kind::text) {
        // "local:N": KumoMTA's limit that nodes do not share. The number of a rate.
        const auto rate = core::parse_rate(std::string(without_local(value.text)) + "/s");
        number = rate ? static_cast<std::int64_t>(rate->count) : 0;
    }
    if (number < 1 || number > kMost) {
        return wrong("an integer from 1 to " + std::to_string(kMost));
    }
    return {
        [number](ShapingLimits& limits) { limits.*kMember = static_cast<std::uint32_t>(number); },
        {},
        {}};
}

template <std::uint32_t ShapingLimits::* kMember>
std::string write_number(const ShapingLimits& limits) {
    return std::to_string(limits.*kMember);
}

template <auto kMember>
ReadLimit read_rate(const TomlValue& value) {
    if (value.kind != Kind::text) return wrong("a rate in quotes such as \"100/s\"");
    const auto parsed = parse_throttle(value.text);
    if (!parsed) return wrong("a rate: " + parsed.error());
    ReadLimit read;
    if (parsed->has_burst) {
        read.warning = ": max_burst is not available in this version; it has no effect";
    }
    read.set = [rate = parsed->rate](ShapingLimits& limits) { limits.*kMember = rate; };
    return read;
}

template <core::Rate ShapingLimits::* kMember>
std::string write_rate(const ShapingLimits& limits) {
    return in_quotes(write_throttle(limits.*kMember));
}

template <bool ShapingLimits::* kMember>
ReadLimit read_flag(const TomlValue& value) {
    if (value.kind != Kind::boolean) return wrong("true or false");
    return {[flag = value.boolean](ShapingLimits& limits) { limits.*kMember = flag; }, {}, {}};
}

template <bool ShapingLimits::* kMember>
std::string write_flag(const ShapingLimits& limits) {
    return limits.*kMember ? "true" : "false";
}

template <auto kMember, const auto& kWords>
ReadLimit read_word(const TomlValue& value) {
    std::string all;
    for (const auto& [name, meant] : kWords) {
        if (value.kind == Kind::text && value.text == name) {
            return {[meant](ShapingLimits& limits) { limits.*kMember = meant; }, {}, {}};
        }
        all.append(all.empty() ? "" : ", ").append(in_quotes(name));
    }
    return wrong("one of " + all);
}

template <auto kMember, const auto& kWords>
std::string write_word(const ShapingLimits& limits) {
    for (const auto& [name, meant] : kWords) {
        if (limits.*kMember == meant) return in_quotes(name);
    }
    return "none";
}

ReadLimit read_tls(const TomlValue& value) {
    for (const TlsPolicy policy :
         {TlsPolicy::none, TlsPolicy::opportunistic, TlsPolicy::encrypt, TlsPolicy::verify}) {
        if (value.kind == Kind::text && value.text == to_string(policy)) {
            return {[policy](ShapingLimits& limits) { limits.tls = policy; }, {}, {}};
        }
    }
    return wrong(R"("none", "opportunistic", "encrypt" or "verify")");
}

ReadLimit read_kumo_tls(const TomlValue& value) {
    const auto word =
        std::ranges::find(kKumoTlsWords, value.text, [](const auto& each) { return each.first; });
    if (word == kKumoTlsWords.end()) {
        return wrong(
            R"("Disabled", "Opportunistic", "OpportunisticInsecure", "RequiredInsecure" or )"
            R"("Required")");
    }
    return {[policy = word->second](ShapingLimits& limits) { limits.tls = policy; }, {}, {}};
}

std::string write_tls(const ShapingLimits& limits) {
    return limits.tls ? in_quotes(to_string(*limits.tls)) : "none";
}

std::optional<core::Duration> time_of(const TomlValue& value, core::Duration least) {
    if (value.kind != Kind::text) return std::nullopt;
    const auto parsed = core::parse_duration(value.text);
    return parsed && *parsed >= least ? std::optional<core::Duration>(*parsed) : std::nullopt;
}

// The rule is shared by those that say the same, so it is replaced, never changed.
RetryRule rule_of(const ShapingLimits& limits) {
    return limits.retry == nullptr ? RetryRule{} : *limits.retry;
}

ReadLimit read_retry_intervals(const TomlValue& value) {
    std::vector<core::Duration> all;
    for (const TomlValue& item : value.items) {
        const auto one = time_of(item, std::chrono::milliseconds{1});
        if (one) all.push_back(*one);
    }
    if (value.kind != Kind::array || all.empty() || all.size() != value.items.size() ||
        all.size() > kMostRetryIntervals) {
        return wrong("a list of times such as [\"5m\", \"1h\"]");
    }
    return {[all](ShapingLimits& limits) {
                RetryRule rule = rule_of(limits);
                rule.intervals = all;
                limits.retry = std::make_shared<const RetryRule>(std::move(rule));
            },
            {},
            {}};
}

std::string write_retry_intervals(const ShapingLimits& limits) {
    std::string list = "[";
    for (const core::Duration each : rule_of(limits).intervals)
        list.append(list.size() > 1 ? ", " : "").append(in_quotes(core::write_duration(each)));
    return list + "]";
}

ReadLimit read_max_age(const TomlValue& value) {
    const auto age = time_of(value, std::chrono::seconds{1});
    if (!age) return wrong("a time such as \"2d\"");
    return {[age = *age](ShapingLimits& limits) {
                RetryRule rule = rule_of(limits);
                rule.max_age = age;
                limits.retry = std::make_shared<const RetryRule>(std::move(rule));
            },
            {},
            {}};
}

std::string write_max_age(const ShapingLimits& limits) {
    return in_quotes(core::write_duration(rule_of(limits).max_age));
}

// The reader of files acts on it before it reads the other options of a table.
ReadLimit read_replace_base(const TomlValue& value) {
    return value.kind == Kind::boolean ? ReadLimit{} : wrong("true or false");
}

// The same: the reader notes it for the table.
ReadLimit read_mx_rollup(const TomlValue& value) {
    return value.kind == Kind::boolean ? ReadLimit{} : wrong("true or false");
}

template <std::size_t kIndex>
ReadLimit read_time_limit(const TomlValue& value) {
    static constexpr const TimeLimitOption& kOption = kTimeLimitOptions[kIndex];
    const auto time = time_of(value, kShortestTimeLimit);
    if (!time || *time > kLongestTimeLimit) return wrong("a time from \"1s\" to \"1d\"");
    ReadLimit read;
    read.set = [time = *time](ShapingLimits& limits) {
        TimeLimits all = limits.time_limits();
        all.*kOption.member = time;
        limits.times = std::make_shared<const TimeLimits>(all);
    };
    if (*time >= kOption.least) return read;
    // Whoever gives up before the reply to the final dot sends the message again.
    const bool dot = kOption.member == &TimeLimits::data_dot;
    read.warning = " = \"" + value.text + "\" is below the least of RFC 5321 section " +
                   std::string(kOption.section) + ", " + core::write_duration(kOption.least) +
                   ": " +
                   (dot ? "a server that takes the message and answers later gets it twice"
                        : "a server that is slower gets no mail");
    return read;
}

template <std::size_t kIndex>
std::string write_time_limit(const ShapingLimits& limits) {
    return in_quotes(core::write_duration(limits.time_limits().*kTimeLimitOptions[kIndex].member));
}

std::string write_provider_connections(const ShapingLimits& limits) {
    const std::uint32_t limit = limits.provider_connection_limit;
    return limit == 0 ? "none" : std::to_string(limit);
}

std::string write_provider_rate(const ShapingLimits& limits) {
    const auto& rate = limits.provider_max_message_rate;
    return rate ? in_quotes(write_throttle(*rate)) : "none";
}

ReadLimit read_port(const TomlValue& value) {
    if (value.kind != Kind::integer || value.integer < 1 || value.integer > 65535) {
        return wrong("an integer from 1 to 65535");
    }
    return {[port = static_cast<std::uint16_t>(value.integer)](ShapingLimits& limits) {
                limits.smtp_port = port;
            },
            {},
            {}};
}

std::string write_port(const ShapingLimits& limits) {
    return limits.smtp_port == 0 ? "none" : std::to_string(limits.smtp_port);
}

bool is_host(std::string_view name) {
    const auto may_be = [](char c) { return core::is_alnum(c) || c == '-' || c == '.'; };
    return !name.empty() && name.size() <= 253 && std::ranges::all_of(name, may_be) &&
           core::is_alnum(name.front()) && core::is_alnum(name.back()) && !name.contains("..");
}

ReadLimit read_ehlo(const TomlValue& value) {
    if (value.kind != Kind::text || !is_host(value.text)) {
        return wrong("the name of a host: letters, digits, hyphens and dots");
    }
    return {[name = std::make_shared<const std::string>(value.text)](ShapingLimits& limits) {
                limits.ehlo_domain = name;
            },
            {},
            {}};
}

std::string write_ehlo(const ShapingLimits& limits) {
    return limits.ehlo_domain == nullptr ? "none" : in_quotes(*limits.ehlo_domain);
}

using Limits = ShapingLimits;

template <std::size_t... kIndexes>
constexpr auto options(std::index_sequence<kIndexes...>) {
    return std::to_array<ShapingOption>({
        {"connection_limit", "connections open at once; `\"local:N\"` means the same",
         read_number<&Limits::connection_limit, kMostConnectionsPerPath>,
         write_number<&Limits::connection_limit>},
        {"max_deliveries_per_connection", "messages before a connection is closed",
         read_number<&Limits::max_deliveries_per_connection, kMostDeliveriesPerConnection>,
         write_number<&Limits::max_deliveries_per_connection>},
        {"max_message_rate",
         "messages in a time: `\"100/s\"`, `\"1,000/min\"`, `\"5/2h\"`. At most what fits into "
         "50 ms (or one) goes at once",
         read_rate<&Limits::max_message_rate>, write_rate<&Limits::max_message_rate>},
        {"max_connection_rate", "connections opened in a time",
         read_rate<&Limits::max_connection_rate>, write_rate<&Limits::max_connection_rate>},
        {"tls",
         "`\"none\"`, `\"opportunistic\"`, `\"encrypt\"` or `\"verify\"`: instead of what "
         "`[delivery]` says",
         read_tls, write_tls},
        {"enable_tls",
         "KumoMTA's words for it: `Disabled` (none), `Opportunistic` and `OpportunisticInsecure` "
         "(opportunistic), `RequiredInsecure` (encrypt), `Required` (verify)",
         read_kumo_tls, write_tls},
        {"max_recipients_per_batch",
         "recipients of a transaction: 1 to 1000, 100 by default; a host that states RCPTMAX (RFC "
         "9422) gets no more",
         read_number<&Limits::max_recipients_per_batch, kMostRecipientsPerBatch>,
         write_number<&Limits::max_recipients_per_batch>},
        {"pipeline_next",
         "whether the envelope of the next message leaves right after the final dot of the one "
         "before (RFC 2920 section 3.1), where the server offers PIPELINING. `\"auto\"` (the "
         "default): yes, until a server of the destination loses track of it, and not again while "
         "it is remembered ([decision 3](decisions/0003-pipelining-modes.md)). `\"off\"`: never. "
         "`\"on\"`: each connection tries again",
         read_word<&Limits::pipeline_next, kPipelineNextWords>,
         write_word<&Limits::pipeline_next, kPipelineNextWords>},
        {"enable_pipelining", "`false`: one command at a time, whatever the server offers",
         read_flag<&Limits::enable_pipelining>, write_flag<&Limits::enable_pipelining>},
        {"ip_lookup_strategy",
         "`\"Ipv4AndIpv6\"` (the default), `\"Ipv6AndIpv4\"`: the families take turns, the first "
         "one first; `\"Ipv4Only\"`, `\"Ipv6Only\"`. A family that this machine has no route for "
         "costs nothing",
         read_word<&Limits::ip_lookup, kIpLookupWords>,
         write_word<&Limits::ip_lookup, kIpLookupWords>},
        {"reconnect_strategy",
         "what follows when a host greets with 421 or another 4yz: `\"ConnectNextHost\"` (the "
         "default), `\"ReconnectSameHost\"` (only its other addresses), `\"TerminateSession\"` "
         "(nothing: some sites mind being asked at their backup hosts)",
         read_word<&Limits::reconnect, kReconnectWords>,
         write_word<&Limits::reconnect, kReconnectWords>},
        {"bounce_upon_5xx_greeting",
         "`true`: mail is returned when every host greets with 5yz. Otherwise only 521 does that, "
         "and other hosts are passed over (RFC 7504)",
         read_flag<&Limits::bounce_upon_5xx_greeting>,
         write_flag<&Limits::bounce_upon_5xx_greeting>},
        {"retry_intervals", "as `intervals` of `[retry]`, for this destination",
         read_retry_intervals, write_retry_intervals},
        {"max_age", "as `max_age` of `[retry]`, for this destination", read_max_age, write_max_age},
        {"smtp_port", "port of the MX hosts, instead of `port` of `[delivery]`", read_port,
         write_port},
        {"ehlo_domain", "the name in EHLO, instead of `hostname` of `[node]`", read_ehlo,
         write_ehlo},
        {"enable_mta_sts",
         "`false`: MTA-STS policies are not looked for, except for mail that requires TLS (RFC "
         "8689)",
         read_flag<&Limits::enable_mta_sts>, write_flag<&Limits::enable_mta_sts>},
        {"enable_dane",
         "`false`: TLSA records are not looked for, except for mail that requires TLS. `true` (the "
         "default, other than KumoMTA's) needs `trust_ad` of `[dns]`",
         read_flag<&Limits::enable_dane>, write_flag<&Limits::enable_dane>},
        {"provider_connection_limit",
         "only in `[provider.\"NAME\"]`: connections open at once to all sites of the provider",
         read_number<&Limits::provider_connection_limit, kMostConnectionsPerPath>,
         write_provider_connections, true},
        {"provider_max_message_rate",
         "only in `[provider.\"NAME\"]`: messages in a time to all sites of the provider",
         read_rate<&Limits::provider_max_message_rate>, write_provider_rate, true},
        {"replace_base",
         "`true`: forget what earlier files, and the built-in one, said in this table",
         read_replace_base, nullptr},
        {"mx_rollup",
         "`true`: the table holds for every domain whose mail goes to the same MX hosts, and they "
         "share one path. `false`, the default other than KumoMTA's: for this domain alone, which "
         "has a path of its own ([decision 59](decisions/0059-providers-and-rollup.md))",
         read_mx_rollup, nullptr},
        {kTimeLimitOptions[kIndexes].name, kTimeLimitOptions[kIndexes].waits_for,
         read_time_limit<kIndexes>, write_time_limit<kIndexes>}...,
    });
}

constexpr auto kOptions = options(std::make_index_sequence<kTimeLimitOptions.size()>{});

}  // namespace

std::span<const ShapingOption> shaping_options() {
    return kOptions;
}

const ShapingOption* find_shaping_option(std::string_view name) {
    const auto found = std::ranges::find(kOptions, name, &ShapingOption::name);
    return found == kOptions.end() ? nullptr : &*found;
}

}  // namespace relay
