#include "relay/config/egress.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "relay/config/kinds.h"
#include "relay/config/schema.h"
#include "relay/shaping/table.h"

namespace relay {
namespace {

std::string name_complaint(std::string_view text) {
    return is_shaping_name(text) ? "" : "must be one line of 1 to 80 octets";
}

std::string ehlo_complaint(std::string_view text) {
    if (text.empty() || is_host_name(text)) return "";
    return "= " + toml_text(text.substr(0, 80)) +
           " is not the name of a host such as \"mta1-1.example.com\"";
}

// One of IPv4, one of IPv6, or both.
struct SourceAddresses {
    static std::string type() { return "address, or list of two"; }
    static bool read(Section& from, std::string_view key, std::vector<core::IpAddress>& into);
    static std::string write(const std::vector<core::IpAddress>& addresses) {
        std::vector<std::string> texts;
        for (const core::IpAddress& each : addresses)
            texts.push_back(each.to_string());
        return texts.size() == 1 ? toml_text(texts.front()) : toml_text(texts);
    }
};

bool SourceAddresses::read(Section& from, std::string_view key,
                           std::vector<core::IpAddress>& into) {
    const core::TomlValue* value = from.take(key);
    if (value == nullptr) return false;
    std::vector<TextAtLine> items;
    if (value->kind == core::TomlValue::Kind::text) {
        items.push_back({value->text, value->line});
    } else if (!from.texts(key, items)) {
        return false;
    }
    std::vector<core::IpAddress> read;
    for (const TextAtLine& item : items) {
        const auto address = core::IpAddress::parse(item.text);
        const auto same = [&](const core::IpAddress& one) {
            return one.is_v4() == address->is_v4();
        };
        std::string wrong;
        if (!address) {
            wrong = ": " + address.error();
        } else if (*address == core::IpAddress::v4(0) || *address == core::IpAddress::v6({})) {
            wrong = ": \"" + item.text + "\" is no address of a machine; leave the key out for any";
        } else if (std::ranges::any_of(read, same)) {
            wrong = "must have one IPv4 and one IPv6 address at most";
        }
        if (!wrong.empty()) {
            from.problem_with(key, item.line, wrong);
            return false;
        }
        read.push_back(*address);
    }
    into = std::move(read);
    return true;
}

struct ProxyServer {
    static std::string type() { return "address and port"; }
    static bool read(Section& from, std::string_view key,
                     std::optional<core::SocketAddress>& into) {
        std::string text;
        if (!from.text(key, text)) return false;
        const auto address = core::SocketAddress::parse(text);
        if (address && address->port != 0) {
            into = *address;
            return true;
        }
        from.problem_with(key, from.take(key)->line,
                          "= " + toml_text(text.substr(0, 80)) +
                              " is not an address with a port such as \"192.0.2.1:5000\"");
        return false;
    }
    static std::string write(const std::optional<core::SocketAddress>& address) {
        return address ? toml_text(address->to_string()) : "none";
    }
};

struct PoolSources {
    static std::string type() { return "list of `{ name, weight }`"; }
    static bool read(Section& from, std::string_view key, std::vector<PoolSource>& into);
    static std::string write(const std::vector<PoolSource>& sources) {
        std::string list = "[";
        for (const PoolSource& each : sources) {
            list += list.size() > 1 ? ", " : "";
            list += "{ name = " + toml_text(each.name) +
                    ", weight = " + std::to_string(each.weight) + " }";
        }
        return list + "]";
    }
};

bool PoolSources::read(Section& from, std::string_view key, std::vector<PoolSource>& into) {
    const core::TomlValue* value = from.take(key);
    if (value == nullptr) return false;
    constexpr std::string_view kForm = "must be a list such as [{ name = \"ip-1\", weight = 1 }]";
    if (value->kind != core::TomlValue::Kind::array || value->items.empty()) {
        from.problem_with(key, value->line, kForm);
        return false;
    }
    if (value->items.size() > kMostSourcesOfPool) {
        from.problem_with(key, value->line,
                          "has more than " + std::to_string(kMostSourcesOfPool) + " sources");
        return false;
    }
    std::vector<PoolSource> read;
    for (const core::TomlValue& item : value->items) {
        auto one = from.item(key, item, kForm);
        if (!one) return false;
        PoolSource& source = read.emplace_back(PoolSource{{}, 1, item.line});
        if (!one->text("name", source.name)) {
            if (one->take("name") == nullptr) from.problem_with(key, item.line, kForm);
            return false;
        }
        one->integer("weight", source.weight, 0, kMostWeight);
        one->finish();
    }
    into = std::move(read);
    return true;
}

// A day, as TOML has it.
struct Day {
    static std::string type() { return "date"; }
    static bool read(Section& from, std::string_view key, std::int64_t& into);
    static std::string write(std::int64_t day) {
        const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
        return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                           static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
    }
};

bool Day::read(Section& from, std::string_view key, std::int64_t& into) {
    const core::TomlValue* value = from.take(key);
    if (value == nullptr) return false;
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    const bool dated = value->kind == core::TomlValue::Kind::date &&
                       std::sscanf(value->text.c_str(), "%d-%u-%u", &year, &month, &day) == 3;
    if (!dated) {
        from.problem_with(key, value->line, "must be a day such as 2026-12-01, without quotes");
        return false;
    }
    const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{month},
                                           std::chrono::day{day}};
    into = std::chrono::sys_days{date}.time_since_epoch().count();
    return true;
}

struct Volumes {
    static std::string type() { return "list of integers"; }
    static bool read(Section& from, std::string_view key, std::vector<std::uint32_t>& into);
    static std::string write(const std::vector<std::uint32_t>& plan) {
        std::string list = "[";
        for (const std::uint32_t each : plan)
            list.append(list.size() > 1 ? ", " : "").append(std::to_string(each));
        return list + "]";
    }
};

bool Volumes::read(Section& from, std::string_view key, std::vector<std::uint32_t>& into) {
    const core::TomlValue* value = from.take(key);
    if (value == nullptr) return false;
    const auto is_volume = [](const core::TomlValue& one) {
        return one.kind == core::TomlValue::Kind::integer && one.integer >= 0 &&
               one.integer <= kMostWarmupMessages;
    };
    const bool list = value->kind == core::TomlValue::Kind::array && !value->items.empty() &&
                      value->items.size() <= kMostWarmupDays;
    if (!list || !std::ranges::all_of(value->items, is_volume)) {
        from.problem_with(key, value->line,
                          "must be a list of 1 to " + std::to_string(kMostWarmupDays) +
                              " numbers of messages such as [50, 100, 500]");
        return false;
    }
    for (const core::TomlValue& one : value->items)
        into.push_back(static_cast<std::uint32_t>(one.integer));
    return true;
}

void check_proxies(Section& from, const EgressSource& source) {
    const bool ha_addresses = !source.ha_proxy_addresses.empty();
    if (source.ha_proxy_server.has_value() != ha_addresses) {
        from.problem(from.line(),
                     "[[egress_source]] ha_proxy_server and ha_proxy_source_address go together");
    }
    if (!source.socks5_proxy_server && !source.socks5_proxy_addresses.empty()) {
        from.problem(from.line(),
                     "[[egress_source]] socks5_proxy_source_address needs socks5_proxy_server");
    }
    if (source.ha_proxy_server && source.socks5_proxy_server) {
        from.problem(from.line(),
                     "[[egress_source]] has ha_proxy_server and socks5_proxy_server; mail goes by "
                     "one proxy");
    }
    // What is bound towards the proxy must be of its family.
    const auto& server =
        source.ha_proxy_server ? source.ha_proxy_server : source.socks5_proxy_server;
    if (server && !source.addresses.empty() &&
        !EgressSource::for_peer(source.addresses, server->ip)) {
        from.problem(from.line(),
                     "[[egress_source]] address is bound towards the proxy, and has no "
                     "address of the family of " +
                         server->to_string());
    }
}

}  // namespace

const Keys<EgressSource>& egress_source_keys() {
    using Source = EgressSource;
    static const Keys<Source> kKeys{
        {"name", &Source::name, Text{name_complaint, "name"}, InForce::reload,
         "by which pools, shaping files and events know it; `\"default\"` is the one of mail that "
         "no pool is named for",
         "required"},
        {"address", &Source::addresses, SourceAddresses{}, InForce::reload,
         "the local address that connections are made from; `[\"192.0.2.10\", \"2001:db8::10\"]` "
         "for both families. Hosts of a family without one are passed over; an address that this "
         "machine does not have is a warning, and its mail goes by other sources of the pool. With "
         "a proxy: what is bound towards the proxy",
         "the machine's choice"},
        {"ehlo", &Source::ehlo, Text{ehlo_complaint, "host name"}, InForce::reload,
         "the name in EHLO; `ehlo_domain` of a shaping file goes before it", "`[node] hostname`"},
        {"ha_proxy_server", &Source::ha_proxy_server, ProxyServer{}, InForce::reload,
         "connections go by this proxy, which is told by the PROXY protocol (version 2) where to "
         "and where from; goes with `ha_proxy_source_address`",
         "none"},
        {"ha_proxy_source_address", &Source::ha_proxy_addresses, SourceAddresses{}, InForce::reload,
         "the address, one of a family, that the proxy connects from", "none"},
        {"socks5_proxy_server", &Source::socks5_proxy_server, ProxyServer{}, InForce::reload,
         "connections go by this SOCKS5 proxy (RFC 1928), without authentication", "none"},
        {"socks5_proxy_source_address", &Source::socks5_proxy_addresses, SourceAddresses{},
         InForce::reload,
         "the address that the proxy connects from: asked for by BIND before CONNECT, as KumoMTA's "
         "proxy wants it; leave it out for other proxies",
         "the proxy's choice"},
    };
    return kKeys;
}

const Keys<EgressPool>& egress_pool_keys() {
    using Pool = EgressPool;
    static const Keys<Pool> kKeys{
        {"name", &Pool::name, Text{name_complaint, "name"}, InForce::reload,
         "mail that no pool is named for goes by the pool `\"default\"`, and without one by the "
         "source `\"default\"`",
         "required"},
        {"sources", &Pool::sources, PoolSources{}, InForce::reload,
         "each takes a share of the mail as its `weight` says (1 when left out); 0: none. Which "
         "one "
         "a mail takes follows from its id and the site, and is the same when it is tried again",
         "required"},
    };
    return kKeys;
}

const Keys<Warmup>& warmup_keys() {
    static const Keys<Warmup> kKeys{
        {"source", &Warmup::source, Text{name_complaint, "name"}, InForce::reload,
         "the `[[egress_source]]` that is new to receivers", "required"},
        {"start", &Warmup::start, Day{}, InForce::reload,
         "the first day, UTC: `2026-12-01`. Before it the source sends nothing", "required"},
        {"plan", &Warmup::plan, Volumes{}, InForce::reload,
         "messages of each day to each provider; a site of no provider counts for itself. "
         "Afterwards there is no limit",
         "required"},
        {"overflow", &Warmup::overflow, Text{name_complaint, "name"}, InForce::reload,
         "the `[[egress_pool]]` that takes what the source may not send", "required"},
    };
    return kKeys;
}

WarmupConfig read_warmup(Section& from) {
    WarmupConfig read;
    read.line = from.line();
    for (const char* key : {"source", "start", "plan", "overflow"}) {
        if (from.take(key) == nullptr) {
            from.problem(from.line(), "[[warmup]] needs " + std::string(key));
        }
    }
    read_keys(from, warmup_keys(), read.warmup, read.lines);
    from.finish();
    return read;
}

EgressSourceConfig read_egress_source(Section& from) {
    EgressSourceConfig read;
    read.line = from.line();
    if (from.take("name") == nullptr) {
        from.problem(from.line(), "[[egress_source]] needs a name such as \"ip-1\"");
    }
    read_keys(from, egress_source_keys(), read.source, read.lines);
    check_proxies(from, read.source);
    from.finish();
    return read;
}

EgressPoolConfig read_egress_pool(Section& from) {
    EgressPoolConfig read;
    read.line = from.line();
    if (from.take("name") == nullptr) {
        from.problem(from.line(), "[[egress_pool]] needs a name such as \"bulk\"");
    }
    if (from.take("sources") == nullptr) {
        from.problem(from.line(),
                     "[[egress_pool]] needs sources such as [{ name = \"ip-1\", weight = 1 }]");
    }
    read_keys(from, egress_pool_keys(), read.pool, read.lines);
    from.finish();
    return read;
}

EgressPlan egress_plan(const Config& config, const EgressPlan* before) {
    std::vector<EgressSource> sources;
    std::vector<EgressPool> pools;
    for (const EgressSourceConfig& each : config.egress_sources)
        sources.push_back(each.source);
    for (const EgressPoolConfig& each : config.egress_pools)
        pools.push_back(each.pool);
    std::vector<Warmup> warmups;
    for (const WarmupConfig& each : config.warmups)
        warmups.push_back(each.warmup);
    return {sources, pools, before, warmups};
}

}  // namespace relay
