#include "relay/config/changes.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/config/parse.h"

namespace relay {
namespace {

const std::string kListener = "[[listener]]\naddress = [\"127.0.0.1:2525\"]\n";

CheckedConfig checked(const std::string& text, const std::string& file,
                      const std::string& shaping = "") {
    auto config = parse_config(text, file);
    if (!config) ADD_FAILURE() << config.error().front().to_string();
    CheckedConfig all{.config = config ? *config : default_config(),
                      .shaping = ShapingPolicy(),
                      .bounce = nullptr,
                      .warnings = {},
                      .tls_roots = {}};
    auto loaded = ShapingPolicy::parse({{"s-" + file, shaping}}, all.config.shaping.defaults);
    if (!loaded) ADD_FAILURE() << loaded.error().front().to_string();
    if (loaded) all.shaping = std::move(loaded->policy);
    return all;
}

using Lines = std::vector<std::string>;

Lines lines_between(const CheckedConfig& before, const CheckedConfig& after) {
    Lines lines;
    each_change(before, after, [&lines](const Change& change) {
        lines.push_back(change.to_string() +
                        (change.in_force == InForce::reload ? "" : ", restart"));
    });
    return lines;
}

Lines changes(const std::string& before, const std::string& after) {
    return lines_between(checked(kListener + before, "old"), checked(kListener + after, "new"));
}

TEST(Changes, name_both_places_and_both_values) {
    EXPECT_EQ(changes("[node]\nshards = 2\n[delivery]\nport = 26\n",
                      "[delivery]\nport = 27\n[node]\nhostname = \"a.example\"\nshards = 4\n"),
              (Lines{"new:6: [node] hostname: the machine's full name → \"a.example\", restart",
                     "new:7: [node] shards: 2 (old:4) → 4, restart",
                     "new:4: [delivery] port: 26 (old:6) → 27"}));
}

TEST(Changes, a_key_that_is_gone_has_its_default_again) {
    EXPECT_EQ(changes("[retry]\nintervals = [\"1h\"]\ndelay_warning = \"4h\"\n", ""),
              (Lines{"new: [retry] intervals: [\"1h\"] (old:4) → "
                     "[\"1m\", \"5m\", \"15m\", \"30m\", \"1h\", \"2h\", \"4h\"], restart",
                     "new: [retry] delay_warning: \"4h\" (old:5) → none, restart"}));
}

TEST(Changes, lines_and_spelling_are_none) {
    EXPECT_EQ(changes("[events]\nlog_keep = \"48h\"\n[node]\nshards = 0\n",
                      "[node]\n[events]\n\nlog_keep = \"2 days\"\n"),
              Lines{});
}

TEST(Changes, listeners_are_known_by_their_names) {
    const std::string web = "[[listener]]\nprotocol = \"http\"\naddress = [\"127.0.0.1:8025\"]\n";
    EXPECT_EQ(changes("verp = true\n" + web, web + "serve = [\"metrics\"]\n"),
              (Lines{"new: [[listener]] \"smtp\" verp: true (old:3) → false, restart",
                     "new:6: [[listener]] \"http\" serve: [\"inject\", \"admin\", \"metrics\"] → "
                     "[\"metrics\"], restart"}));
    EXPECT_EQ(changes("", web), Lines{"new:3: [[listener]] \"http\" is new, restart"});
    EXPECT_EQ(changes(web, ""), Lines{"new: [[listener]] \"http\" (old:3) is gone, restart"});
}

TEST(Changes, routes_are_known_by_their_domains_and_have_an_order) {
    const std::string a = "[[route]]\ndomain = \"a.example\"\nhosts = [\"h\"]\n";
    const std::string b = "[[route]]\ndomain = \"b.example\"\nhosts = [\"h\"]\n";
    EXPECT_EQ(changes(a, a + "tls_name = \"smtp.example\"\n"),
              Lines{"new:6: [[route]] \"a.example\" tls_name: the host → \"smtp.example\""});
    EXPECT_EQ(changes(a, b), (Lines{"new:3: [[route]] \"b.example\" is new",
                                    "new: [[route]] \"a.example\" (old:3) is gone"}));
    EXPECT_EQ(changes(a + b, b + a),
              Lines{"new:6: [[route]] \"a.example\" place in the order: before [[route]] "
                    "\"b.example\" (old:3) → after [[route]] \"b.example\""});
    EXPECT_EQ(changes(a + a, a), Lines{"new: [[route]] \"a.example\" (old:6) is gone"});
}

TEST(Changes, of_shaping_files_are_those_of_the_table_that_states_them) {
    const auto before = checked(kListener, "old",
                                "[default]\nconnection_limit = 5\n"
                                "[\"a.example\"]\nmax_message_rate = \"5/s\"\n"
                                "[\"b.example\"]\nconnection_limit = 1\n");
    const auto after = checked(kListener + "[shaping]\ndefault = { connection_limit = 7 }\n", "new",
                               "[default]\nconnection_limit = 6\n"
                               "[\"a.example\"]\nidle_timeout = \"5s\"\n"
                               "[\"c.example\"]\ntls = \"verify\"\n");
    EXPECT_EQ(lines_between(before, after),
              (Lines{"new:4: [shaping] default connection_limit: 10 → 7",
                     "s-new:2: [\"default\"] connection_limit: 5 (s-old:2) → 6",
                     "s-new:3: [\"a.example\"] max_message_rate: \"5/s\" (s-old:4) → not set",
                     "s-new:4: [\"a.example\"] idle_timeout: not set → \"5s\"",
                     "[\"b.example\"] (s-old:5) is gone", "s-new:5: [\"c.example\"] is new",
                     "s-new:6: [\"c.example\"] tls: not set → \"verify\""}));
    EXPECT_EQ(lines_between(before, before), Lines{});
}

TEST(Changes, of_rollup_sources_and_rules_of_automation_are_named) {
    const std::string rule =
        "[[\"a.example\".automation]]\nregex = [\"slow\", \"down\"]\naction = [\"Suspend\", "
        "{SetConfig={name=\"connection_limit\", value=2}}]\ntrigger = {Threshold=\"2/h\"}\n";
    const auto before = checked(kListener, "old",
                                "[\"a.example\"]\nmx_rollup = true\n"
                                "[\"a.example\".sources.\"ip-1\"]\nconnection_limit = 5\n" +
                                    rule + "duration = \"1h\"\n");
    const auto after = checked(kListener, "new",
                               "[\"a.example\"]\nconnection_limit = 9\n"
                               "[\"a.example\".sources.\"ip-1\"]\nconnection_limit = 6\n" +
                                   rule + "duration = \"2h\"\n");
    const std::string text =
        "[[\"a.example\".automation]] \"slow\", \"down\" → suspend set_config connection_limit = 2 "
        "at 2/h for ";
    EXPECT_EQ(lines_between(before, after),
              (Lines{"s-new:2: [\"a.example\"] connection_limit: not set → 9",
                     "s-new:4: [\"a.example\".sources.\"ip-1\"] connection_limit: 5 (s-old:4) → 6",
                     "s-new:1: [\"a.example\"] mx_rollup: true (s-old:1) → false",
                     text + "1h (s-old:5) is gone", "s-new:5: " + text + "2h is new"}));
    EXPECT_EQ(lines_between(before, before), Lines{});
}

}  // namespace
}  // namespace relay
