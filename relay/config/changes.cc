#include "relay/config/changes.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "relay/automation/reply_rules.h"
#include "relay/config/kinds.h"
#include "relay/config/schema.h"
#include "relay/shaping/options.h"
#include "relay/shaping/throttle.h"

namespace relay {
namespace {

class Comparison {
  public:
    Comparison(const Config& before, const Config& after,
               const std::function<void(const Change&)>& visit)
        : before_(before), after_(after), visit_(visit) {}

    template <class Settings>
    void keys(const std::string& table, const Keys<Settings>& schema, const Settings& before,
              const KeyLines& before_lines, const Settings& after, const KeyLines& after_lines) {
        for (const Key<Settings>& key : schema) {
            const std::string was = value(key, before, before_lines);
            const std::string is = value(key, after, after_lines);
            if (was == is) continue;
            add({table + " " + std::string(key.name),
                 {before_.file, before_lines.of(key.name)},
                 was,
                 {after_.file, after_lines.of(key.name)},
                 is,
                 key.in_force});
        }
    }
    template <class Settings>
    void keys(const std::string& table, const Keys<Settings>& schema, const Settings& before,
              const Settings& after) {
        keys(table, schema, before, before.lines, after, after.lines);
    }
    void add(const Change& change) { visit_(change); }
    void listeners();
    void routes();
    void egress();
    void tenants();
    void credentials();
    void shaping(const ShapingPolicy& before, const ShapingPolicy& after);

  private:
    // As the file has it, or what holds without the key.
    template <class Settings>
    static std::string value(const Key<Settings>& key, const Settings& settings,
                             const KeyLines& lines) {
        const std::string written = key.write(settings);
        const bool nothing = written == "\"\"" || written == "[]" || written == "\"0s\"";
        return nothing && !lines.has(key.name) && !key.without.empty() ? std::string(key.without)
                                                                       : written;
    }
    // A table of shaping files, as one of the two policies has it.
    struct Side {
        const ShapingPolicy& policy;
        const ShapingTable* table;  // nullptr: it has not
        ShapingScope scope;         // whose limits show the values
    };
    void table(const std::string& name, const Side& before, const Side& after);
    void options(const std::string& name, const Side& before, const Side& after,
                 bool of_source = false);
    void sources(const std::string& name, const Side& before, const Side& after);
    void automation(const std::string& name, const Side& before, const Side& after);
    void providers(const ShapingPolicy& before, const ShapingPolicy& after);

    const Config& before_;
    const Config& after_;
    const std::function<void(const Change&)>& visit_;
};

std::string listener_table(const ListenerConfig& listener) {
    return "[[listener]] " + toml_text(listener.name);
}

std::string route_table(const RouteConfig& route) {
    return "[[route]] " + toml_text(route.domain);
}

void Comparison::listeners() {
    const auto find = [](const Config& in, const std::string& name) {
        const auto found = std::ranges::find(in.listeners, name, &ListenerConfig::name);
        return found == in.listeners.end() ? nullptr : &*found;
    };
    for (const ListenerConfig& was : before_.listeners) {
        if (find(after_, was.name) != nullptr) continue;
        add({listener_table(was),
             {before_.file, was.line},
             listener_table(was),
             {after_.file},
             "",
             InForce::restart});
    }
    for (const ListenerConfig& is : after_.listeners) {
        const std::string table = listener_table(is);
        const ListenerConfig* was = find(before_, is.name);
        if (was == nullptr) {
            add({table, {before_.file}, "", {after_.file, is.line}, table, InForce::restart});
            continue;
        }
        keys(table, listener_keys(), *was, is);
        const bool http = is.protocol == ListenerProtocol::http;
        keys(table, http ? http_listener_keys() : smtp_listener_keys(), *was, is);
    }
}

// Of a secret it is said only that it changed.
void Comparison::credentials() {
    const auto title = [](const CredentialConfig& each) {
        return "[[credential]] " + toml_text(each.name);
    };
    const auto of_name = [](const std::vector<CredentialConfig>& all, const std::string& name) {
        return std::ranges::find(all, name, &CredentialConfig::name);
    };
    for (const CredentialConfig& was : before_.credentials) {
        if (of_name(after_.credentials, was.name) != after_.credentials.end()) continue;
        add({title(was),
             {before_.file, was.line},
             title(was),
             {after_.file},
             "",
             InForce::restart});
    }
    for (const CredentialConfig& is : after_.credentials) {
        const FileLine place{after_.file, is.line};
        const auto was = of_name(before_.credentials, is.name);
        if (was == before_.credentials.end()) {
            add({title(is), {before_.file}, "", place, title(is), InForce::restart});
        } else if (was->secret != is.secret || was->tenant != is.tenant || was->read != is.read ||
                   was->inject != is.inject || was->admin != is.admin) {
            add({title(is),
                 {before_.file, was->line},
                 "as before",
                 place,
                 "changed",
                 InForce::restart});
        }
    }
}

void Comparison::tenants() {
    const auto name = [](const TenantConfig& each) { return std::string_view(each.policy.name); };
    const auto title = [](const TenantConfig& each) {
        return "[[tenant]] " + toml_text(each.policy.name);
    };
    for (const TenantConfig& was : before_.tenants) {
        if (std::ranges::find(after_.tenants, was.policy.name, name) != after_.tenants.end()) {
            continue;
        }
        add({title(was), {before_.file, was.line}, title(was), {after_.file}, "", InForce::reload});
    }
    for (const TenantConfig& is : after_.tenants) {
        const auto was = std::ranges::find(before_.tenants, is.policy.name, name);
        if (was == before_.tenants.end()) {
            add({title(is),
                 {before_.file},
                 "",
                 {after_.file, is.line},
                 title(is),
                 InForce::reload});
            continue;
        }
        keys(title(is), tenant_keys(), was->policy, was->lines, is.policy, is.lines);
    }
}

// A route is known by its domain; of several with one domain, by their order. The first that
// matches wins, so a route that changes places with another is a change too.
void Comparison::routes() {
    std::vector<const RouteConfig*> left;
    for (const RouteConfig& route : before_.routes)
        left.push_back(&route);
    const RouteConfig* last = nullptr;  // of the old ones: that of the new route before
    const Smarthost none;
    for (const RouteConfig& is : after_.routes) {
        const std::string table = route_table(is);
        const auto found = std::ranges::find(left, is.domain, &RouteConfig::domain);
        if (found == left.end()) {
            add({table, {before_.file}, "", {after_.file, is.line}, table, InForce::reload});
            continue;
        }
        const RouteConfig& was = **found;
        left.erase(found);
        if (last != nullptr && &was < last) {
            add({table + " place in the order",
                 {before_.file, was.line},
                 "before " + route_table(*last),
                 {after_.file, is.line},
                 "after " + route_table(*last),
                 InForce::reload});
        }
        last = std::max(last, &was);
        keys(table, route_keys(), was, is);
        keys(table, smarthost_keys(), was.smarthost == nullptr ? none : *was.smarthost, was.lines,
             is.smarthost == nullptr ? none : *is.smarthost, is.lines);
    }
    for (const RouteConfig* was : left) {
        add({route_table(*was),
             {before_.file, was->line},
             route_table(*was),
             {after_.file},
             "",
             InForce::reload});
    }
}

// Sources and pools are known by their names.
void Comparison::egress() {
    const auto compare = [this](const auto& before, const auto& after, const auto& table,
                                const auto& compare_keys) {
        for (const auto& was : before) {
            const auto same = [&](const auto& one) { return table(one) == table(was); };
            if (std::ranges::any_of(after, same)) continue;
            add({table(was),
                 {before_.file, was.line},
                 table(was),
                 {after_.file},
                 "",
                 InForce::reload});
        }
        for (const auto& is : after) {
            const auto same = [&](const auto& one) { return table(one) == table(is); };
            const auto was = std::ranges::find_if(before, same);
            if (was == before.end()) {
                add({table(is),
                     {before_.file},
                     "",
                     {after_.file, is.line},
                     table(is),
                     InForce::reload});
            } else {
                compare_keys(table(is), *was, is);
            }
        }
    };
    compare(
        before_.egress_sources, after_.egress_sources,
        [](const EgressSourceConfig& one) {
            return "[[egress_source]] " + toml_text(one.source.name);
        },
        [this](const std::string& table, const EgressSourceConfig& was,
               const EgressSourceConfig& is) {
            keys(table, egress_source_keys(), was.source, was.lines, is.source, is.lines);
        });
    compare(
        before_.warmups, after_.warmups,
        [](const WarmupConfig& one) { return "[[warmup]] of " + toml_text(one.warmup.source); },
        [this](const std::string& table, const WarmupConfig& was, const WarmupConfig& is) {
            keys(table, warmup_keys(), was.warmup, was.lines, is.warmup, is.lines);
        });
    compare(
        before_.egress_pools, after_.egress_pools,
        [](const EgressPoolConfig& one) { return "[[egress_pool]] " + toml_text(one.pool.name); },
        [this](const std::string& table, const EgressPoolConfig& was, const EgressPoolConfig& is) {
            keys(table, egress_pool_keys(), was.pool, was.lines, is.pool, is.lines);
        });
}

// Only what a table states itself: what comes from the tables below it is their change.
void Comparison::table(const std::string& name, const Side& before, const Side& after) {
    const FileLine was = before.policy.place_of(before.table);
    const FileLine is = after.policy.place_of(after.table);
    if (was.empty() != is.empty()) {
        add({name, was, was.empty() ? "" : name, is, is.empty() ? "" : name, InForce::reload});
    }
    if (after.table == nullptr) return;
    options(name, before, after);
    sources(name, before, after);
    const bool rolled = before.table != nullptr && before.table->mx_rollup;
    if (rolled != after.table->mx_rollup) {
        const auto word = [](bool flag) { return flag ? "true" : "false"; };
        add({name + " mx_rollup", was, word(rolled), is, word(!rolled), InForce::reload});
    }
    automation(name, before, after);
}

// Of the egress sources that have a table below this one.
void Comparison::sources(const std::string& name, const Side& before, const Side& after) {
    std::set<std::string> names;
    for (const Side* side : {&before, &after}) {
        if (side->table == nullptr) continue;
        for (const ShapingTable::Source& each : side->table->sources)
            names.insert(each.name);
    }
    for (const std::string& source : names) {
        Side was = before;
        Side is = after;
        was.scope.source = is.scope.source = source;
        options(name.substr(0, name.size() - 1) + ".sources." + toml_text(source) + "]", was, is,
                true);
    }
}

// What a rule says, in one line.
std::string written(const AutomationRule& rule) {
    std::string text;
    for (const std::string& pattern : rule.patterns)
        text += (text.empty() ? "" : ", ") + toml_text(pattern);
    text += " →";
    for (const AutomationAction& action : rule.actions) {
        text.append(" ").append(to_string(action.verb));
        if (action.verb == AutomationVerb::reduce) text += " " + std::to_string(action.factor);
        if (action.option == nullptr) continue;
        text.append(" ").append(action.option->name).append(" = ").append(toml_value(action.value));
    }
    if (rule.threshold) text += " at " + write_throttle(*rule.threshold);
    text += " for " + core::write_duration(rule.duration);
    return rule.match_internal ? text + ", our own words too" : text;
}

void Comparison::automation(const std::string& name, const Side& before, const Side& after) {
    const auto rules = [](const Side& side) {
        std::map<std::string, FileLine> all;
        if (side.table == nullptr) return all;
        for (const AutomationRule& rule : side.table->automation)
            all.emplace(written(rule), side.policy.place_of(rule));
        return all;
    };
    const auto was = rules(before);
    const auto is = rules(after);
    const std::string key = "[" + name.substr(0, name.size() - 1) + ".automation]] ";
    for (const auto& [text, place] : was) {
        if (!is.contains(text)) add({key + text, place, text, {}, "", InForce::reload});
    }
    for (const auto& [text, place] : is) {
        if (!was.contains(text)) add({key + text, {}, "", place, text, InForce::reload});
    }
}

void Comparison::options(const std::string& name, const Side& before, const Side& after,
                         bool of_source) {
    const auto find = [of_source](const Side& in,
                                  const ShapingOption& option) -> const StatedOption* {
        if (in.table == nullptr) return nullptr;
        const StatedOptions* const stated =
            of_source ? in.table->of_source(in.scope.source) : &in.table->stated;
        if (stated == nullptr) return nullptr;
        const auto found = std::ranges::find(*stated, &option, &StatedOption::option);
        return found == stated->end() ? nullptr : &*found;
    };
    const ShapingLimits old_limits = before.policy.limits_for(before.scope);
    const ShapingLimits new_limits = after.policy.limits_for(after.scope);
    const FileLine is = after.policy.place_of(after.table);
    for (const ShapingOption& option : shaping_options()) {
        const StatedOption* old_one = find(before, option);
        const StatedOption* new_one = find(after, option);
        if (old_one == nullptr && new_one == nullptr) continue;
        const std::string old_value = old_one == nullptr ? "not set" : option.write(old_limits);
        const std::string new_value = new_one == nullptr ? "not set" : option.write(new_limits);
        if (old_value == new_value) continue;
        add({name + " " + std::string(option.name),
             old_one == nullptr ? FileLine{} : before.policy.place_of(*old_one), old_value,
             new_one == nullptr ? is : after.policy.place_of(*new_one), new_value,
             InForce::reload});
    }
}

std::string written(const ShapingProvider* provider) {
    std::string list = "[";
    for (const ProviderMatch& each : provider->match) {
        list += list.size() > 1 ? ", " : "";
        list += kMatchWords[static_cast<std::size_t>(each.kind)].first;
        list += "=" + toml_text(each.name);
    }
    return list + "]";
}

void Comparison::providers(const ShapingPolicy& before, const ShapingPolicy& after) {
    std::set<std::string_view> names;
    for (const ShapingPolicy* policy : {&before, &after}) {
        for (const ShapingProvider& each : policy->providers())
            names.insert(each.name);
    }
    for (const std::string_view name : names) {
        const std::string full = "[provider." + toml_text(name) + "]";
        const ShapingScope scope{.table = {}, .provider = name};
        const ShapingProvider* const was = before.provider(name);
        const ShapingProvider* const is = after.provider(name);
        table(full, {before, was, scope}, {after, is, scope});
        if (was == nullptr || is == nullptr || written(was) == written(is)) continue;
        add({full + " match", before.place_of(was), written(was), after.place_of(is), written(is),
             InForce::reload});
    }
}

void Comparison::shaping(const ShapingPolicy& before, const ShapingPolicy& after) {
    table("[\"default\"]", {before, before.table("default"), {}},
          {after, after.table("default"), {}});
    providers(before, after);
    std::vector<std::string_view> names;
    std::ranges::set_union(before.tables(), after.tables(), std::back_inserter(names));
    for (const std::string_view name : names) {
        const ShapingScope scope{.table = name, .provider = {}};
        table("[" + toml_text(name) + "]", {before, before.table(name), scope},
              {after, after.table(name), scope});
    }
}

}  // namespace

std::string Change::to_string() const {
    const std::string place = new_place.empty() ? "" : new_place.to_string() + ": ";
    const auto set_at = [](const FileLine& where) {
        return where.line == 0 ? std::string() : " (" + where.to_string() + ")";
    };
    if (old_value.empty()) return place + key + " is new";
    if (new_value.empty()) return place + key + set_at(old_place) + " is gone";
    return place + key + ": " + old_value + set_at(old_place) + " → " + new_value;
}

void each_change(const CheckedConfig& before, const CheckedConfig& after,
                 const std::function<void(const Change&)>& visit) {
    const Config& was = before.config;
    const Config& is = after.config;
    Comparison all(was, is, visit);
    all.keys("[node]", node_keys(), was.node, is.node);
    all.keys("[spool]", spool_keys(), was.spool, is.spool);
    all.keys("[memory]", memory_keys(), was.memory, is.memory);
    all.listeners();
    all.credentials();
    all.keys("[dns]", dns_keys(), was.dns, is.dns);
    all.routes();
    all.keys("[delivery]", delivery_keys(), was.delivery, is.delivery);
    all.keys("[retry]", retry_keys(), was.retry, is.retry);
    all.tenants();
    all.keys("[shaping]", shaping_keys(), was.shaping, is.shaping);
    all.keys("[shaping] default", default_limit_keys(), was.shaping.defaults,
             was.shaping.default_lines, is.shaping.defaults, is.shaping.default_lines);
    all.egress();
    all.keys("[bounce]", bounce_keys(), was.bounce, is.bounce);
    all.keys("[tls_report]", tls_report_keys(), was.tls_report, is.tls_report);
    all.keys("[events]", events_keys(), was.events, is.events);
    all.shaping(before.shaping, after.shaping);
}

}  // namespace relay
