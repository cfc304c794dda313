// The tables of docs/configuration.md are made here from the schema; the page is held to them. To
// renew it: POSTHASTE_RENEW_DOCS=1 build/dev/bin/unit_config --gtest_filter='ConfigurationPage.*'
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "relay/config/kinds.h"
#include "relay/config/listener.h"
#include "relay/config/parse.h"
#include "relay/config/schema.h"
#include "relay/shaping/options.h"

namespace relay {
namespace {

const std::filesystem::path kTop = POSTHASTE_TOP;
constexpr const char* kPage = "docs/configuration.md";

std::string text_of(const char* name) {
    std::ifstream file(kTop / name, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

template <class Settings>
std::string rows(const Keys<Settings>& keys, const Settings& defaults,
                 const std::string& prefix = "") {
    std::string table;
    for (const Key<Settings>& key : keys) {
        if (key.meaning.empty()) continue;  // of a later feature
        table +=
            "| `" + prefix + std::string(key.name) + "` | " + key.type + " | " +
            (key.without.empty() ? "`" + key.write(defaults) + "`" : std::string(key.without)) +
            " | " + (key.in_force == InForce::reload ? "reload" : "restart") + " | " +
            std::string(key.meaning) + " |\n";
    }
    return table;
}

std::string options(bool of_time) {
    std::string table;
    for (const ShapingOption& each : shaping_options()) {
        const auto* limit = std::ranges::find(kTimeLimitOptions, each.name, &TimeLimitOption::name);
        const bool is_time = limit != kTimeLimitOptions.end();
        if (is_time != of_time) continue;
        table += "| `" + std::string(each.name) + "` | ";
        if (is_time) {
            const bool bound = limit->least != core::Duration{};
            table += core::write_duration(kTimeLimits.*limit->member) + " | " +
                     (bound ? core::write_duration(limit->least) + " | " : "| ");
        }
        table += std::string(each.meaning) + " |\n";
    }
    return table;
}

// Of each marked part of the page.
std::map<std::string, std::string> tables() {
    const Config defaults = default_config();
    std::map<std::string, std::string> parts{
        {"[node]", rows(node_keys(), defaults.node)},
        {"[spool]", rows(spool_keys(), defaults.spool)},
        {"[memory]", rows(memory_keys(), defaults.memory)},
        {"[[listener]]", rows(listener_keys(), default_listener(ListenerProtocol::smtp)) +
                             rows(smtp_listener_keys(), default_listener(ListenerProtocol::smtp)) +
                             rows(http_listener_keys(), default_listener(ListenerProtocol::http))},
        {"[dns]", rows(dns_keys(), defaults.dns)},
        {"[[route]]", rows(route_keys(), RouteConfig{}) + rows(smarthost_keys(), Smarthost{})},
        {"[[credential]]", rows(credential_keys(), CredentialConfig{})},
        {"[delivery]", rows(delivery_keys(), defaults.delivery)},
        {"[[tenant]]", rows(tenant_keys(), TenantPolicy{})},
        {"[retry]", rows(retry_keys(), defaults.retry)},
        {"[shaping]", rows(shaping_keys(), defaults.shaping) +
                          rows(default_limit_keys(), defaults.shaping.defaults, "default.")},
        {"[[egress_source]]", rows(egress_source_keys(), EgressSource{})},
        {"[[egress_pool]]", rows(egress_pool_keys(), EgressPool{})},
        {"[[warmup]]", rows(warmup_keys(), Warmup{})},
        {"[bounce]", rows(bounce_keys(), defaults.bounce)},
        {"[tls_report]", rows(tls_report_keys(), defaults.tls_report)},
        {"[events]", rows(events_keys(), defaults.events)},
    };
    for (auto& [name, table] : parts)
        table = "| key | type | default | in force | meaning |\n|---|---|---|---|---|\n" + table;
    parts["shaping files"] = "| option | meaning |\n|---|---|\n" + options(false);
    parts["time limits"] =
        "| option | default | least of the RFC | waits for |\n|---|---|---|---|\n" + options(true);
    return parts;
}

// The page with each marked part made again.
std::string renewed(std::string page) {
    constexpr std::string_view kEnd = "<!-- end of keys -->";
    for (const auto& [name, table] : tables()) {
        const std::string mark = "<!-- keys of " + name + " -->\n";
        const std::size_t begin = page.find(mark);
        const std::size_t end = begin == std::string::npos ? begin : page.find(kEnd, begin);
        if (end == std::string::npos) {
            ADD_FAILURE() << kPage << " has no part between \"" << mark << "\" and \"" << kEnd
                          << "\"";
            continue;
        }
        page.replace(begin + mark.size(), end - begin - mark.size(), table);
    }
    return page;
}

TEST(ConfigurationPage, has_the_tables_of_the_schema) {
    const std::string page = text_of(kPage);
    const std::string right = renewed(page);
    if (std::getenv("POSTHASTE_RENEW_DOCS") != nullptr) {
        std::ofstream(kTop / kPage, std::ios::binary) << right;
        return;
    }
    EXPECT_TRUE(page == right)
        << kPage
        << " is not what the schema says; POSTHASTE_RENEW_DOCS=1 build/dev/bin/unit_config "
           "--gtest_filter='ConfigurationPage.*' renews it";
}

// A key that nobody can find an example of is a key that nobody uses.
TEST(ConfigurationPage, every_key_is_in_the_example) {
    const std::string example = text_of("deploy/examples/posthaste.toml");
    const auto expect = [&](const auto& keys) {
        for (const auto& key : keys) {
            if (key.meaning.empty() || key.name == "tls" || key.name == "auth") continue;
            const std::string name(key.name);
            EXPECT_TRUE(example.contains("\n" + name + " ") ||
                        example.contains("\n# " + name + " ") ||
                        example.contains(" " + name + " = "))
                << name;
        }
    };
    expect(node_keys());
    expect(spool_keys());
    expect(memory_keys());
    expect(listener_keys());
    expect(smtp_listener_keys());
    expect(http_listener_keys());
    expect(dns_keys());
    expect(route_keys());
    expect(smarthost_keys());
    expect(credential_keys());
    expect(delivery_keys());
    expect(retry_keys());
    expect(shaping_keys());
    expect(default_limit_keys());
    expect(bounce_keys());
    expect(tls_report_keys());
    expect(events_keys());
    const auto parsed = parse_config(example, "posthaste.toml");
    EXPECT_TRUE(parsed.has_value()) << parsed.error().front().to_string();
}

}  // namespace
}  // namespace relay
