#include "relay/config/schema.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/config/kinds.h"
#include "relay/config/listener.h"
#include "relay/config/parse.h"

namespace relay {
namespace {

Config parsed(const std::string& text) {
    const std::string listener = "[[listener]]\naddress = [\"127.0.0.1:2525\"]\n";
    const auto config = parse_config(listener + text, "t.toml");
    if (!config) {
        for (const Problem& each : config.error())
            ADD_FAILURE() << each.to_string() << " in\n" << text;
        return default_config();
    }
    return *config;
}

// Every default as the file would have it, but of keys whose default is no value.
template <class Settings>
std::string lines_of(const Keys<Settings>& keys, const Settings& defaults) {
    std::string lines;
    for (const Key<Settings>& key : keys) {
        if (!key.without.empty() || key.meaning.empty()) continue;
        lines += std::string(key.name) + " = " + key.write(defaults) + "\n";
    }
    return lines;
}

template <class Settings>
void expect_round_trip(const std::string& table, const Keys<Settings>& keys,
                       Settings Config::* member) {
    const Settings defaults = default_config().*member;
    const Config again = parsed(table + "\n" + lines_of(keys, defaults));
    std::set<std::string_view> names;
    int line = 4;
    for (const Key<Settings>& key : keys) {
        EXPECT_TRUE(names.insert(key.name).second) << key.name;
        EXPECT_EQ(key.write(again.*member), key.write(defaults)) << key.name;
        if (!key.without.empty() || key.meaning.empty()) continue;
        EXPECT_EQ((again.*member).lines.of(key.name), line++) << key.name;
    }
}

TEST(Schema, every_default_is_written_as_it_is_read) {
    expect_round_trip("[node]", node_keys(), &Config::node);
    expect_round_trip("[spool]", spool_keys(), &Config::spool);
    expect_round_trip("[memory]", memory_keys(), &Config::memory);
    expect_round_trip("[dns]", dns_keys(), &Config::dns);
    expect_round_trip("[delivery]", delivery_keys(), &Config::delivery);
    expect_round_trip("[retry]", retry_keys(), &Config::retry);
    expect_round_trip("[shaping]", shaping_keys(), &Config::shaping);
    expect_round_trip("[bounce]", bounce_keys(), &Config::bounce);
    expect_round_trip("[tls_report]", tls_report_keys(), &Config::tls_report);
    expect_round_trip("[events]", events_keys(), &Config::events);
}

TEST(Schema, every_default_of_a_listener_and_a_limit_is_written_as_it_is_read) {
    const ListenerConfig smtp = default_listener(ListenerProtocol::smtp);
    const ListenerConfig http = default_listener(ListenerProtocol::http);
    const Config config =
        parsed(lines_of(listener_keys(), smtp) + lines_of(smtp_listener_keys(), smtp) +
               "[[listener]]\naddress = [\"127.0.0.1:0\"]\nprotocol = \"http\"\n" +
               lines_of(http_listener_keys(), http) + "[shaping.default]\n" +
               lines_of(default_limit_keys(), ShapingLimits{}));
    ASSERT_EQ(config.listeners.size(), 2U);
    for (const auto& key : listener_keys()) {
        if (key.name == "address") continue;
        EXPECT_EQ(key.write(config.listeners[0]), key.write(smtp)) << key.name;
        EXPECT_EQ(key.write(config.listeners[1]), key.write(http)) << key.name;
    }
    for (const auto& key : http_listener_keys())
        EXPECT_EQ(key.write(config.listeners[1]), key.write(http)) << key.name;
    EXPECT_EQ(config.shaping.defaults, ShapingLimits{});
    EXPECT_TRUE(config.shaping.default_lines.has("max_connection_rate"));
}

TEST(Schema, a_value_knows_the_line_that_set_it) {
    const Config config = parsed(
        "max_age = \"1d\"\n[[route]]\ndomain = \"a.example\"\nhosts = [\n\"h\"]\n"
        "tls_name = \"smtp.example\"\n[shaping]\ndefault = { connection_limit = 3 }\n");
    EXPECT_EQ(config.file, "t.toml");
    EXPECT_EQ(config.listeners[0].line, 1);
    EXPECT_EQ(config.listeners[0].lines.of("max_age"), 3);
    EXPECT_EQ(config.listeners[0].lines.of("verp"), 0);
    EXPECT_EQ(config.routes[0].line, 4);
    EXPECT_EQ(config.routes[0].lines.of("hosts"), 6);
    EXPECT_EQ(config.routes[0].lines.of("tls_name"), 8);
    EXPECT_EQ(config.shaping.default_lines.of("connection_limit"), 10);
    EXPECT_FALSE(config.node.lines.has("shards"));
}

TEST(Kinds, write_values_that_have_no_default) {
    EXPECT_EQ(toml_text("a\"b\\c\n"), R"("a\"b\\c\n")");
    EXPECT_EQ(ShareOrSize::write({3ULL << 30, 0}), "\"3GiB\"");
    const auto& hosts = route_keys()[1];
    const Config config = parsed(
        "[[route]]\ndomain = \"*\"\nhosts = [\"h\", \"[::1]:26\", \"192.0.2.1\", "
        "\"srv:_submissions._tcp.example.org\"]\n");
    EXPECT_EQ(hosts.write(config.routes[0]),
              R"(["h:25", "[::1]:26", "192.0.2.1:25", "srv:_submissions._tcp.example.org"])");
}

TEST(Kinds, refuse_a_time_that_is_too_long) {
    const auto wrong = parse_config(
        "[[listener]]\naddress = [\"127.0.0.1:1\"]\n[tls_report]\ndelay = \"25h\"\n", "t.toml");
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error()[0].to_string(), "t.toml:4: [tls_report] delay must be at most \"1d\"");
}

}  // namespace
}  // namespace relay
