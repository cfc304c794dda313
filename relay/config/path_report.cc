#include "relay/config/path_report.h"

#include <algorithm>
#include <string_view>

#include "core/base/ascii.h"
#include "core/base/units.h"
#include "relay/config/kinds.h"

namespace relay {
namespace {

constexpr std::size_t kNameWidth = 31;
constexpr std::size_t kValueWidth = 24;

std::string padded(std::string text, std::size_t width) {
    text.append(text.size() < width ? width - text.size() : 1, ' ');
    return text;
}

class Report {
  public:
    Report(const CheckedConfig& checked, const PathQuestion& question);
    std::string text();

  private:
    void fact(const std::string& name, const std::string& value) {
        text_ += "  " + padded(name + ":", 11) + value + "\n";
    }
    // "(file:line)"
    static std::string at(const FileLine& place) { return " (" + place.to_string() + ")"; }
    void way();
    void sources();
    void limit(const EffectiveLimit& limit);
    // What holds where no shaping file says anything.
    EffectiveLimit from_config(EffectiveLimit limit) const;
    template <typename Settings>
    void use_key(EffectiveLimit& limit, const Settings& table, std::string_view key,
                 std::string_view name) const;

    const CheckedConfig& checked_;
    const PathQuestion& question_;
    std::string domain_;
    const RouteConfig* route_;
    std::vector<std::string> hosts_;
    ShapingScope scope_;
    std::string text_;
};

Report::Report(const CheckedConfig& checked, const PathQuestion& question)
    : checked_(checked), question_(question), domain_(core::to_lower(question.domain)) {
    if (domain_.ends_with('.')) domain_.pop_back();
    route_ = checked.config.route_for(domain_);
    if (route_ == nullptr) {
        hosts_ = question.mx;
    } else {
        for (const NextHop& hop : route_->hosts)
            hosts_.push_back(hop.host);
    }
    const ShapingPolicy& shaping = checked.shaping;
    const bool routed = route_ != nullptr;
    scope_.provider = shaping.provider_of(routed ? std::string_view() : domain_, hosts_);
    scope_.table = shaping.table_for(domain_, routed ? hosts_.front() : std::string_view());
    scope_.source = question.source;
}

void Report::way() {
    std::string hosts;
    for (const std::string& host : hosts_)
        hosts += (hosts.empty() ? "" : ", ") + host;
    if (route_ != nullptr) {
        fact("route", "[[route]] domain = \"" + route_->domain + "\"" +
                          at({checked_.config.file, route_->line}));
        fact("hosts", hosts);
    } else if (hosts.empty()) {
        fact("MX hosts", "not looked up; --mx HOST says which to assume");
    } else {
        fact("MX hosts", hosts + " (assumed)");
    }
}

// The pool of mail that no other one is named for, and each source with what is its own of limits.
void Report::sources() {
    const EgressPlan& plan = checked_.egress;
    if (plan.is_plain()) return;
    const SourcePool& pool = plan.fallback();
    std::uint64_t all = 0;
    for (const PoolMember& each : pool.members)
        all += each.weight;
    fact("pool", pool.name);
    for (const PoolMember& each : pool.members) {
        const std::string_view name = plan.name_of(each.source);
        std::string line = "    " + padded(std::string(name), kNameWidth - 2) +
                           std::to_string(each.weight) + " of " + std::to_string(all);
        if (const auto& source = plan.source(each.source)) {
            for (const core::IpAddress& address : source->seen())
                line += ", " + address.to_string();
            if (source->proxied()) line += " by a proxy";
            if (!source->ehlo.empty()) line += ", EHLO " + source->ehlo;
        }
        text_ += line + "\n";
        ShapingScope scope = scope_;
        scope.source = name;
        for (const EffectiveLimit& limit : checked_.shaping.explain(scope)) {
            if (!limit.table.contains(".sources.")) continue;
            text_ += "      " + padded(std::string(limit.option), kNameWidth - 4) +
                     padded(limit.value, kValueWidth) + limit.place.to_string() + " " +
                     limit.table + "\n";
        }
    }
}

std::string Report::text() {
    const ShapingPolicy& shaping = checked_.shaping;
    text_ = domain_ + "\n";
    way();
    const ShapingProvider* const provider = shaping.provider(scope_.provider);
    fact("provider",
         provider == nullptr ? "none" : provider->name + at(shaping.place_of(provider)));
    const ShapingTable* const table = scope_.table.empty() ? nullptr : shaping.table(scope_.table);
    fact("table", table == nullptr
                      ? "none"
                      : "[\"" + std::string(scope_.table) + "\"]" + at(shaping.place_of(table)));
    sources();
    fact("source", question_.source);
    for (const EffectiveLimit& each : shaping.explain(scope_))
        limit(each.place.empty() ? from_config(each) : each);
    return text_;
}

void Report::limit(const EffectiveLimit& limit) {
    text_ +=
        "  " + padded(std::string(limit.option), kNameWidth) + padded(limit.value, kValueWidth);
    if (limit.place.empty()) {
        text_ += "default\n";
    } else {
        text_ += limit.place.to_string() + " " + limit.table + "\n";
    }
}

template <typename Settings>
void Report::use_key(EffectiveLimit& limit, const Settings& table, std::string_view key,
                     std::string_view name) const {
    if (!table.lines.has(key)) return;
    limit.place = {checked_.config.file, table.lines.of(key)};
    limit.table = name;
}

EffectiveLimit Report::from_config(EffectiveLimit limit) const {
    const Config& config = checked_.config;
    const ShapingLimits limits = checked_.shaping.limits_for(scope_);
    if (config.shaping.default_lines.has(limit.option)) {
        limit.place = {config.file, config.shaping.default_lines.of(limit.option)};
        limit.table = "[shaping] default";
    } else if (limit.option == "tls") {
        limit.value = toml_text(to_string(checked_.tls_of(limits, route_)));
        if (route_ != nullptr && route_->tls) {
            use_key(limit, *route_, "tls", "[[route]]");
        } else {
            use_key(limit, config.delivery, "tls", "[delivery]");
        }
    } else if (limit.option == "smtp_port") {
        limit.value = std::to_string(config.delivery.port);
        use_key(limit, config.delivery, "port", "[delivery]");
    } else if (limit.option == "ehlo_domain") {
        limit.value = toml_text(config.node.hostname);
        use_key(limit, config.node, "hostname", "[node]");
        for (const EgressSourceConfig& each : config.egress_sources) {
            if (each.source.name != question_.source || each.source.ehlo.empty()) continue;
            limit.value = toml_text(each.source.ehlo);
            limit.place = {config.file, each.lines.of("ehlo")};
            limit.table = "[[egress_source]]";
        }
    } else if (limit.option == "max_age") {
        limit.value = toml_text(core::write_duration(config.retry.max_age));
        use_key(limit, config.retry, "max_age", "[retry]");
    } else if (limit.option == "retry_intervals") {
        limit.value.clear();
        for (const core::Duration each : config.retry.intervals)
            limit.value +=
                (limit.value.empty() ? "[" : ", ") + toml_text(core::write_duration(each));
        limit.value += "]";
        use_key(limit, config.retry, "intervals", "[retry]");
    }
    return limit;
}

}  // namespace

std::string path_report(const CheckedConfig& checked, const PathQuestion& question) {
    return Report(checked, question).text();
}

}  // namespace relay
