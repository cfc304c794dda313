#include "relay/config/parse.h"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>

#include "core/base/toml.h"
#include "relay/config/credential.h"
#include "relay/config/egress.h"
#include "relay/config/listener.h"
#include "relay/config/route.h"
#include "relay/config/schema.h"
#include "relay/config/section.h"
#include "relay/config/tenant.h"

namespace relay {
namespace {

using core::TomlValue;
using Kind = TomlValue::Kind;

constexpr std::size_t kMostEntries = 10'000;  // listeners, routes: a list of a person

// The parser of one file. Each function reads one table; all of them run, whatever went wrong
// before.
class ConfigParser {
  public:
    ConfigParser(const TomlValue& root, std::string file)
        : root_(root), file_(std::move(file)), top_(root_, "the configuration", file_, problems_) {}

    ParsedConfig parse() {
        config_.file = file_;
        table("node", node_keys(), config_.node);
        table("spool", spool_keys(), config_.spool);
        table("memory", memory_keys(), config_.memory);
        listeners();
        table("dns", dns_keys(), config_.dns);
        routes();
        credentials();
        table("delivery", delivery_keys(), config_.delivery);
        table("retry", retry_keys(), config_.retry);
        tenants();
        shaping();
        egress();
        table("bounce", bounce_keys(), config_.bounce);
        tls_report();
        table("events", events_keys(), config_.events);
        later_features();
        top_.finish();
        for (Problems* each : {&problems_, &warnings_}) {
            std::ranges::sort(*each, {},
                              [](const Problem& one) { return std::tie(one.line, one.sentence); });
        }
        return {std::move(config_), std::move(problems_), std::move(warnings_), true};
    }

  private:
    Section section(const TomlValue& table, std::string name) {
        return {table, std::move(name), file_, problems_};
    }
    // A table such as [node]; an empty one when it is absent, so that its rules apply all the same.
    Section table(std::string_view key);
    // All that a table is, where no rule holds between its keys.
    template <class Settings>
    void table(std::string_view key, const Keys<Settings>& keys, Settings& into) {
        Section from = table(key);
        read_keys(from, keys, into, into.lines);
        from.finish();
    }
    // The tables of [[listener]].
    std::vector<const TomlValue*> tables(std::string_view key);

    void listeners();
    void routes();
    void tenants();
    void credentials();
    void shaping();
    void egress();
    void tls_report();
    void later_features();

    static const TomlValue kEmpty;
    const TomlValue& root_;
    std::string file_;
    Problems problems_;
    Problems warnings_;
    Section top_;
    Config config_ = default_config();
};

const TomlValue ConfigParser::kEmpty{};

Section ConfigParser::table(std::string_view key) {
    const std::string name = "[" + std::string(key) + "]";
    const TomlValue* value = top_.take(key);
    if (value != nullptr && value->kind != Kind::table) {
        problems_.push_back({file_, value->line, name + " must be one table"});
        value = nullptr;
    }
    return section(value == nullptr ? kEmpty : *value, name);
}

std::vector<const TomlValue*> ConfigParser::tables(std::string_view key) {
    const TomlValue* value = top_.take(key);
    if (value == nullptr) return {};
    std::vector<const TomlValue*> found;
    const std::string wrong = std::string(key) + " must be written as [[" + std::string(key) + "]]";
    if (value->kind != Kind::array) {
        problems_.push_back({file_, value->line, wrong});
        return {};
    }
    for (const TomlValue& item : value->items) {
        if (item.kind != Kind::table || found.size() == kMostEntries) {
            problems_.push_back({file_, item.line, wrong + ", at most 10000 times"});
            return found;
        }
        found.push_back(&item);
    }
    return found;
}

void ConfigParser::listeners() {
    for (const TomlValue* table : tables("listener")) {
        Section from = section(*table, "[[listener]]");
        config_.listeners.push_back(read_listener(from));
    }
    if (config_.listeners.empty()) {
        top_.problem(1,
                     "at least one [[listener]] is needed, with protocol = \"smtp\" and address = "
                     "[\"127.0.0.1:2525\"] for instance");
    }
    check_distinct(config_.listeners, top_);
}

void ConfigParser::routes() {
    for (const TomlValue* table : tables("route")) {
        Section from = section(*table, "[[route]]");
        config_.routes.push_back(read_route(from));
    }
}

void ConfigParser::tenants() {
    for (const TomlValue* table : tables("tenant")) {
        Section from = section(*table, "[[tenant]]");
        config_.tenants.push_back(read_tenant(from));
        warn_of_keys_without_effect(config_.tenants.back(), file_, warnings_);
    }
    check_distinct(config_.tenants, top_);
}

void ConfigParser::credentials() {
    for (const TomlValue* table : tables("credential")) {
        Section from = section(*table, "[[credential]]");
        config_.credentials.push_back(read_credential(from));
    }
    check_distinct(config_.credentials, top_);
}

void ConfigParser::shaping() {
    Section from = table("shaping");
    ShapingConfig& shaping = config_.shaping;
    read_keys(from, shaping_keys(), shaping, shaping.lines);
    if (auto limits = from.table("default", "{ connection_limit = 10, … }")) {
        read_keys(*limits, default_limit_keys(), shaping.defaults, shaping.default_lines);
        limits->finish();
    }
    from.finish();
}

void ConfigParser::egress() {
    for (const TomlValue* table : tables("egress_source")) {
        Section from = section(*table, "[[egress_source]]");
        config_.egress_sources.push_back(read_egress_source(from));
    }
    for (const TomlValue* table : tables("egress_pool")) {
        Section from = section(*table, "[[egress_pool]]");
        config_.egress_pools.push_back(read_egress_pool(from));
    }
    for (const TomlValue* table : tables("warmup")) {
        Section from = section(*table, "[[warmup]]");
        config_.warmups.push_back(read_warmup(from));
    }
    check_egress(config_, top_);
    check_warmups(config_, top_);
    check_pools_of_tenants(config_, top_);
}

void ConfigParser::tls_report() {
    Section from = table("tls_report");
    TlsReportConfig& report = config_.tls_report;
    read_keys(from, tls_report_keys(), report, report.lines);
    if (report.enabled) {
        for (const char* key : {"organization", "contact", "from"}) {
            const TomlValue* value = from.take(key);
            if (value == nullptr) {
                from.problem_with(key, from.line(), "is needed for enabled = true");
            } else if (value->kind == Kind::text && value->text.empty()) {
                from.problem_with(key, value->line, "must not be empty");
            }
        }
    }
    from.finish();
}

void ConfigParser::later_features() {
    for (const char* key : {"dkim", "webhook"}) {
        const TomlValue* value = top_.take(key);
        if (value == nullptr || (value->kind == Kind::array && value->items.empty())) continue;
        const int line = value->items.empty() ? value->line : value->items.front().line;
        top_.problem(line, "[[" + std::string(key) + "]] is not available in this version");
    }
}

}  // namespace

ParsedConfig read_config(std::string_view text, const std::string& file) {
    const auto root = core::parse_toml(text);
    if (root) return ConfigParser(*root, file).parse();
    ParsedConfig nothing;
    nothing.problems.push_back({file, root.error().line, root.error().sentence});
    return nothing;
}

std::expected<Config, Problems> parse_config(std::string_view text, const std::string& file) {
    ParsedConfig parsed = read_config(text, file);
    if (!parsed.problems.empty()) return std::unexpected(std::move(parsed.problems));
    return std::move(parsed.config);
}

}  // namespace relay
