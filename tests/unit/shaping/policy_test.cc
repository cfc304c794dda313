#include "relay/shaping/policy.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/shaping/options.h"

namespace relay {
namespace {

using namespace std::chrono_literals;

ShapingPolicy::Loaded loaded(const std::vector<std::string>& texts, ShapingLimits defaults = {}) {
    std::vector<ShapingText> named;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        named.push_back({"s" + std::to_string(i) + ".toml", texts[i]});
    }
    auto policy = ShapingPolicy::parse(named, defaults);
    if (!policy) {
        for (const Problem& each : policy.error())
            ADD_FAILURE() << each.to_string();
        return {ShapingPolicy(defaults), {}};
    }
    return std::move(*policy);
}

// Of a domain whose site belongs to no provider.
ShapingScope of(std::string_view domain) {
    return {.table = domain, .provider = {}};
}

std::vector<std::string> problems(const std::string& text) {
    const auto policy = ShapingPolicy::parse({{"s.toml", text}}, {});
    std::vector<std::string> sentences;
    if (policy) return sentences;
    for (const Problem& each : policy.error())
        sentences.push_back(each.to_string());
    return sentences;
}

TEST(ShapingPolicy, without_files_the_defaults_hold) {
    const ShapingLimits defaults{3, 4, {5, 1min}, {6, 1h}};
    const ShapingPolicy policy(defaults);
    EXPECT_EQ(policy.limits_for("example.com"), defaults);
    EXPECT_FALSE(policy.has_table("example.com"));
    EXPECT_EQ(policy.destination_of(of("example.com")), 0U);
    EXPECT_EQ(policy.destination_names(), std::vector<std::string>{"other"});
}

TEST(ShapingPolicy, merges_upwards) {
    const auto [policy, warnings] =
        loaded({"[\"default\"]\nconnection_limit = 20\nmax_message_rate = \"200/s\"\n"
                "[\"Example.COM.\"]\nmax_message_rate = \"1/s\"\n"},
               {10, 100, {100, 1s}, {100, 1min}});
    EXPECT_TRUE(warnings.empty());
    EXPECT_EQ(policy.limits_for("example.org"), (ShapingLimits{20, 100, {200, 1s}, {100, 1min}}));
    EXPECT_EQ(policy.limits_for("example.com"), (ShapingLimits{20, 100, {1, 1s}, {100, 1min}}));
    EXPECT_EQ(policy.limits_for("EXAMPLE.com."), policy.limits_for("example.com"));
    EXPECT_EQ(policy.limits_for("sub.example.com"), policy.limits_for("example.org"));
    EXPECT_TRUE(policy.has_table("example.Com"));
    EXPECT_FALSE(policy.has_table("default"));
    EXPECT_FALSE(policy.has_table(std::string(1000, 'a')));
}

TEST(ShapingPolicy, later_files_win) {
    const auto [policy, warnings] =
        loaded({"[\"a.example\"]\nconnection_limit = 1\nmax_deliveries_per_connection = 1\n"
                "[\"b.example\"]\nconnection_limit = 1\nmax_deliveries_per_connection = 1\n",
                "[\"a.example\"]\nconnection_limit = 2\n"
                "[\"b.example\"]\nreplace_base = true\nconnection_limit = 2\n[default]\n"
                "max_connection_rate = \"7/d\"\n"});
    EXPECT_EQ(policy.limits_for("a.example"), (ShapingLimits{2, 1, {100, 1s}, {7, 24h}}));
    EXPECT_EQ(policy.limits_for("b.example"), (ShapingLimits{2, 100, {100, 1s}, {7, 24h}}));
    EXPECT_TRUE(warnings.empty());
}

TEST(ShapingPolicy, reads_kumomtas_forms) {
    const auto [policy, warnings] =
        loaded({"[\"a.example\"]\nconnection_limit = \"local:7\"\nmax_message_rate = "
                "\"local:1,000/minute\"\nmax_connection_rate = \"5/hr,max_burst=1\"\n"
                "mx_rollup = false\n"});
    EXPECT_EQ(policy.limits_for("a.example"), (ShapingLimits{7, 100, {1000, 1min}, {5, 1h}}));
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_EQ(warnings[0].to_string(),
              "s0.toml:4: [\"a.example\"] max_connection_rate: max_burst is not available in this "
              "version; it has no effect");
}

TEST(ShapingPolicy, warns_of_what_it_cannot_do) {
    const auto [policy, warnings] = loaded(
        {"[\"a.example\"]\nenable_rset = true\nmax_ready = 10\nconnection_limit = 2\n"
         "[provider.\"nobody\"]\nmax_deliveries_per_connection = 2\n"
         "[[\"a.example\".automation]]\nregex = \"x\"\naction = \"Suspend\"\nduration = \"1h\"\n"
         "[\"http://127.0.0.1:8008.tsa.kumomta\"]\nmx_rollup = false\n"
         "[\"a.example\".sources.\"ip-1\"]\nconnection_limit = 5\n"});
    EXPECT_EQ(policy.limits_for("a.example").connection_limit, 2U);
    std::vector<std::string> sentences;  // in the order of the lines
    for (const Problem& each : warnings)
        sentences.push_back(each.to_string());
    EXPECT_EQ(
        sentences,
        (std::vector<std::string>{
            "s0.toml:2: [\"a.example\"] enable_rset has no effect: RSET is sent only where a "
            "transaction has to be undone",
            "s0.toml:3: [\"a.example\"] max_ready has no effect: the queue is bounded by [memory] "
            "limit and [spool] max_size",
            "s0.toml:5: [provider.\"nobody\"] has no match: no mail belongs to it",
            "s0.toml:11: [\"http://127.0.0.1:8008.tsa.kumomta\"] is not a domain; the table has no "
            "effect",
            "s0.toml:13: [\"a.example\".sources.\"ip-1\"] has no effect: there is no egress source "
            "\"ip-1\"; all mail leaves by \"default\""}));
}

// U9: a limit that is misspelt was a limit that does not hold.
TEST(ShapingPolicy, an_option_that_nobody_has_is_a_mistake) {
    EXPECT_EQ(problems("[\"a.example\"]\nconection_limit = 5\n"),
              std::vector<std::string>{"s.toml:2: [\"a.example\"] has no option "
                                       "\"conection_limit\"; is \"connection_limit\" meant?"});
    EXPECT_EQ(
        problems("[default]\ndata_timout = \"1m\"\nenable_dnae = true\ncolour = \"red\"\n"),
        (std::vector<std::string>{
            "s.toml:2: [\"default\"] has no option \"data_timout\"; is \"data_timeout\" meant?",
            "s.toml:3: [\"default\"] has no option \"enable_dnae\"; is \"enable_dane\" meant?",
            "s.toml:4: [\"default\"] has no option \"colour\""}));
    EXPECT_EQ(
        problems("[defualt]\nconnection_limit = 5\n"),
        std::vector<std::string>{"s.toml:1: [\"defualt\"] is not a domain; is \"default\" meant?"});
    EXPECT_TRUE(problems("[localhost]\nconnection_limit = 5\n").empty());
    // Every name of ours is read: it complains of the value, or takes it.
    for (const ShapingOption& option : shaping_options()) {
        const auto all = problems("[default]\n" + std::string(option.name) + " = {}\n");
        for (const std::string& each : all)
            EXPECT_FALSE(each.contains("has no option")) << each;
    }
}

// U10: a route takes the limits of its first host, unless the domain has a table of its own.
TEST(ShapingPolicy, a_domain_goes_before_the_host_of_its_route) {
    const auto [policy, warnings] =
        loaded({"[\"smtp.example\"]\nconnection_limit = 30\n[\"a.example\"]\n"});
    EXPECT_EQ(policy.table_for("a.example", "smtp.example"), "a.example");
    EXPECT_EQ(policy.table_for("b.example", "smtp.example"), "smtp.example");
    EXPECT_EQ(policy.table_for("b.example", "other.example"), "");
    EXPECT_EQ(policy.table_for("b.example", ""), "");
}

TEST(ShapingPolicy, knows_whether_a_rate_is_stated) {
    const auto [policy, warnings] = loaded(
        {"[\"a.example\"]\nmax_message_rate = \"5/s\"\n[\"b.example\"]\nconnection_limit = 5\n"});
    EXPECT_TRUE(policy.states_message_rate("A.example"));
    EXPECT_FALSE(policy.states_message_rate("b.example"));
    EXPECT_FALSE(policy.states_message_rate("c.example"));
    const auto of_all = loaded({"[default]\nmax_message_rate = \"5/s\"\n[\"b.example\"]\n"});
    EXPECT_TRUE(of_all.policy.states_message_rate("b.example"));
    EXPECT_TRUE(of_all.policy.states_message_rate("c.example"));
}

// For `path show`, and for what a reload says.
TEST(ShapingPolicy, every_limit_knows_the_line_that_set_it) {
    const auto [policy, warnings] =
        loaded({"[default]\nmax_connection_rate = \"9/m\"\n"
                "[\"a.example\"]\nconnection_limit = 1\nidle_timeout = \"9s\"\n",
                "[\"b.example\"]\n\n[\"a.example\"]\nconnection_limit = 2\n"});
    EXPECT_EQ(policy.place_of(of("A.example"), "connection_limit").to_string(), "s1.toml:4");
    EXPECT_EQ(policy.place_of(of("a.example"), "idle_timeout").to_string(), "s0.toml:5");
    EXPECT_EQ(policy.place_of(of("a.example"), "max_connection_rate").to_string(), "s0.toml:2");
    EXPECT_EQ(policy.place_of(of("c.example"), "max_connection_rate").to_string(), "s0.toml:2");
    EXPECT_TRUE(policy.place_of(of("a.example"), "max_message_rate").empty());
    EXPECT_EQ(policy.tables(), (std::vector<std::string_view>{"a.example", "b.example"}));
    EXPECT_EQ(policy.place_of(policy.table("b.example")).to_string(), "s1.toml:1");
    EXPECT_EQ(policy.place_of(policy.table("default")).to_string(), "s0.toml:1");
    EXPECT_EQ(policy.table("c.example"), nullptr);
    EXPECT_EQ(ShapingPolicy().table("default"), nullptr);
    EXPECT_TRUE(policy.place_of(nullptr).empty());
    ASSERT_EQ(policy.table("a.example")->stated.size(), 2U);
    const auto again = loaded({"[\"a.example\"]\nconnection_limit = 1\n",
                               "[\"a.example\"]\nreplace_base = true\nidle_timeout = \"9s\"\n"});
    EXPECT_TRUE(again.policy.place_of(of("a.example"), "connection_limit").empty());
}

// What is written is read as the same again: for every option, its default or some value.
TEST(ShapingPolicy, options_are_written_as_they_are_read) {
    const ShapingScope scope{.table = {}, .provider = "p"};
    const ShapingLimits limits =
        loaded({"[default]\ntls = \"verify\"\nmax_age = \"2d\"\nsmtp_port = 26\n"
                "retry_intervals = [\"1m\", \"90s\"]\nehlo_domain = \"out.example\"\n"
                "[provider.\"p\"]\nprovider_connection_limit = 5\n"
                "provider_max_message_rate = \"5/2m\"\n"})
            .policy.limits_for(scope);
    for (const ShapingOption& option : shaping_options()) {
        if (option.write == nullptr || option.name == "enable_tls") continue;
        const std::string line = (option.of_provider ? "[provider.\"p\"]\n" : "[default]\n") +
                                 std::string(option.name) + " = " + option.write(limits) + "\n";
        const ShapingLimits again = loaded({line}).policy.limits_for(scope);
        EXPECT_EQ(option.write(again), option.write(limits)) << line;
    }
}

TEST(ShapingPolicy, refuses_what_makes_no_sense) {
    const auto all = problems(
        "connection_limit = 5\n"
        "[\"a.example\"]\nconnection_limit = 0\nmax_deliveries_per_connection = -1\n"
        "max_message_rate = \"fast\"\nmax_connection_rate = 5\nreplace_base = 1\n"
        "[\"b.example\"]\nconnection_limit = \"local:many\"\nmax_deliveries_per_connection = "
        "1.5\n");
    ASSERT_EQ(all.size(), 8U);
    for (const int line : {1, 3, 4, 5, 6, 7, 9, 10}) {
        const std::string place = "s.toml:" + std::to_string(line) + ": ";
        EXPECT_EQ(std::ranges::count_if(all, [&](auto& each) { return each.starts_with(place); }),
                  1)
            << line;
    }
    EXPECT_EQ(problems("[\"a\"\n").size(), 1U);
}

TEST(ShapingPolicy, numbers_destinations_for_metrics) {
    const auto [policy, warnings] = loaded({"[\"b.example\"]\n[\"a.example\"]\n[default]\n"});
    EXPECT_EQ(policy.destination_names(),
              (std::vector<std::string>{"other", "a.example", "b.example"}));
    EXPECT_EQ(policy.destination_of(of("A.example")), 1U);
    EXPECT_EQ(policy.destination_of(of("b.example.")), 2U);
    EXPECT_EQ(policy.destination_of(of("c.example")), 0U);
}

TEST(ShapingPolicy, names_only_so_many_destinations_but_limits_all_domains) {
    std::string text;
    for (int i = 0; i < 1000; ++i) {
        text += "[\"d" + std::to_string(i) + ".example\"]\nconnection_limit = 1\n";
    }
    const auto [policy, warnings] = loaded({text});
    EXPECT_EQ(policy.destination_names().size(), kMostNamedDestinations + 1);
    for (int i = 0; i < 1000; ++i) {
        const std::string domain = "d" + std::to_string(i) + ".example";
        EXPECT_EQ(policy.limits_for(domain).connection_limit, 1U);
        EXPECT_LE(policy.destination_of(of(domain)), kMostNamedDestinations);
    }
    EXPECT_EQ(policy.destination_of(of("d999.example")), 0U);
}

// A counter keeps its label while the process lives, whatever tables come and go.
TEST(ShapingPolicy, keeps_the_numbers_of_destinations_over_a_reload) {
    const auto first = loaded({"[\"b.example\"]\n[\"c.example\"]\n"}).policy;
    auto second = loaded({"[\"a.example\"]\n[\"c.example\"]\n[\"d.example\"]\n"}).policy;
    second.keep_numbers(first.destination_names());
    EXPECT_EQ(
        second.destination_names(),
        (std::vector<std::string>{"other", "b.example", "c.example", "a.example", "d.example"}));
    EXPECT_EQ(second.destination_of(of("a.example")), 3U);
    EXPECT_EQ(second.destination_of(of("b.example")), 0U);  // no table any more
    EXPECT_EQ(second.destination_of(of("c.example")), 2U);
    EXPECT_EQ(second.destination_of(of("d.example")), 4U);
    auto third = loaded({"[\"b.example\"]\n"}).policy;
    third.keep_numbers(second.destination_names());
    EXPECT_EQ(third.destination_of(of("b.example")), 1U);
    EXPECT_EQ(third.destination_names().size(), 5U);
}

TEST(ShapingPolicy, numbers_of_destinations_run_out) {
    const auto many = [](const std::string& letter) {
        std::string text;
        for (int i = 0; i < 150; ++i)
            text += "[\"" + letter + std::to_string(i) + ".example\"]\nconnection_limit = 3\n";
        return loaded({text}).policy;
    };
    ShapingPolicy policy = many("a");
    for (const char* letter : {"b", "c", "a"}) {
        ShapingPolicy next = many(letter);
        next.keep_numbers(policy.destination_names());
        policy = std::move(next);
        EXPECT_EQ(policy.destination_names().size(), kMostNamedDestinations + 1);
        for (int i = 0; i < 150; ++i) {
            const std::string domain = letter + std::to_string(i) + ".example";
            EXPECT_LE(policy.destination_of(of(domain)), kMostNamedDestinations);
            EXPECT_EQ(policy.limits_for(domain).connection_limit, 3U);
        }
    }
    EXPECT_EQ(policy.destination_names()[policy.destination_of(of("a149.example"))],
              "a149.example");
}

// The shape of the files that KumoMTA ships, whole: every table loads, nothing is an error.
TEST(ShapingPolicy, takes_a_default_file_of_kumomta) {
    const auto [policy, warnings] = loaded({R"(
["default"]
connection_limit = 10
max_connection_rate = "100/min"
max_deliveries_per_connection = 100
max_message_rate = "100/s"
idle_timeout = "60s"
enable_tls = "Opportunistic"
consecutive_connection_failures_before_delay = 100
[["default".automation]]
regex=[ '''Messages from \d+ temporarily deferred''' ]
action = [ {SetConfig={name="max_message_rate", value="1/minute"}} ]
duration = "90m"
[provider."yahoo"]
match=[{MXSuffix=".yahoodns.net"}]
max_deliveries_per_connection = 20
["yahoo.co.jp"]
connection_limit = 2
max_message_rate = "10/s"
max_deliveries_per_connection = 20
[["yahoo.co.jp".automation]]
regex = "VS98-IP0 deferred"
trigger = {Threshold="2/hr"}
action = "Suspend"
duration = "1 hour"
)"});
    const ShapingLimits& own = policy.limits_for("yahoo.co.jp");
    EXPECT_EQ(own.time_limits(), (TimeLimits{.idle = 60s}));
    EXPECT_EQ(own, (ShapingLimits{.connection_limit = 2,
                                  .max_deliveries_per_connection = 20,
                                  .max_message_rate = {10, 1s},
                                  .max_connection_rate = {100, 1min},
                                  .tls = TlsPolicy::opportunistic,
                                  .times = own.times}));
    EXPECT_EQ(warnings.size(), 1U);  // a number of failures
}

TEST(ShapingPolicy, reads_what_encryption_is_demanded) {
    const auto [policy, warnings] = loaded(
        {"[\"a.example\"]\ntls = \"verify\"\n[\"b.example\"]\ntls = \"none\"\n"
         "[\"c.example\"]\nenable_tls = \"RequiredInsecure\"\n"
         "[\"d.example\"]\nenable_tls = \"Disabled\"\n[\"e.example\"]\nconnection_limit = 1\n"
         "[\"f.example\"]\nenable_tls = \"Required\"\n"});
    EXPECT_EQ(policy.limits_for("a.example").tls, TlsPolicy::verify);
    EXPECT_EQ(policy.limits_for("b.example").tls, TlsPolicy::none);
    EXPECT_EQ(policy.limits_for("c.example").tls, TlsPolicy::encrypt);
    EXPECT_EQ(policy.limits_for("d.example").tls, TlsPolicy::none);
    EXPECT_EQ(policy.limits_for("e.example").tls, std::nullopt);
    EXPECT_EQ(policy.limits_for("f.example").tls, TlsPolicy::verify);
    EXPECT_TRUE(warnings.empty());
    const auto all = problems(
        "[\"a.example\"]\ntls = \"implicit\"\n[\"b.example\"]\ntls = true\n"
        "[\"c.example\"]\nenable_tls = \"maybe\"\n");
    ASSERT_EQ(all.size(), 3U);
    EXPECT_TRUE(all[0].contains("tls must be \"none\"")) << all[0];
}

TEST(ShapingPolicy, reads_how_hosts_are_tried) {
    const auto [policy, warnings] =
        loaded({"[\"default\"]\nip_lookup_strategy = \"Ipv6AndIpv4\"\n"
                "[\"a.example\"]\nip_lookup_strategy = \"Ipv4Only\"\n"
                "reconnect_strategy = \"TerminateSession\"\nbounce_upon_5xx_greeting = true\n"
                "max_recipients_per_batch = 7\n"});
    EXPECT_TRUE(warnings.empty());
    const ShapingLimits& others = policy.limits_for("b.example");
    EXPECT_EQ(others.ip_lookup, IpLookup::v6_and_v4);
    EXPECT_EQ(others.reconnect, Reconnect::next_host);
    EXPECT_FALSE(others.bounce_upon_5xx_greeting);
    EXPECT_EQ(others.max_recipients_per_batch, 100U);
    const ShapingLimits& own = policy.limits_for("a.example");
    EXPECT_EQ(own.ip_lookup, IpLookup::v4_only);
    EXPECT_EQ(own.reconnect, Reconnect::terminate);
    EXPECT_TRUE(own.bounce_upon_5xx_greeting);
    EXPECT_EQ(own.max_recipients_per_batch, 7U);
    for (const char* wrong : {"ip_lookup_strategy = \"Ipv5\"", "ip_lookup_strategy = 4",
                              "reconnect_strategy = \"\"", "bounce_upon_5xx_greeting = \"yes\"",
                              "max_recipients_per_batch = 0", "max_recipients_per_batch = 1001"}) {
        EXPECT_EQ(problems("[\"a.example\"]\n" + std::string(wrong) + "\n").size(), 1U) << wrong;
    }
}

TEST(ShapingPolicy, reads_when_to_try_again) {
    const auto [policy, warnings] =
        loaded({"[\"default\"]\nretry_intervals = [\"10m\", \"1h\"]\n"
                "[\"a.example\"]\nmax_age = \"2d\"\n"
                "[\"b.example\"]\nretry_intervals = [\"1m\"]\n"});
    EXPECT_TRUE(warnings.empty());
    const RetryRule others{{10min, 1h}, {}};
    ASSERT_NE(policy.limits_for("x.example").retry, nullptr);
    EXPECT_EQ(*policy.limits_for("x.example").retry, others);
    EXPECT_EQ(*policy.limits_for("a.example").retry, (RetryRule{{10min, 1h}, 48h}));
    EXPECT_EQ(*policy.limits_for("b.example").retry, (RetryRule{{1min}, {}}));
    EXPECT_EQ(ShapingPolicy().limits_for("x.example").retry, nullptr);
    for (const char* wrong :
         {"retry_intervals = []", "retry_intervals = \"5m\"", "retry_intervals = [5]",
          "retry_intervals = [\"0s\"]", "max_age = 5", "max_age = \"1ms\"", "max_age = \"soon\""}) {
        EXPECT_EQ(problems("[\"a.example\"]\n" + std::string(wrong) + "\n").size(), 1U) << wrong;
    }
}

TEST(ShapingPolicy, reads_how_much_goes_at_once) {
    const auto [policy, warnings] =
        loaded({"[\"default\"]\npipeline_next = \"off\"\n"
                "[\"a.example\"]\npipeline_next = \"on\"\nenable_pipelining = false\n"
                "[\"b.example\"]\npipeline_next = \"auto\"\nenable_pipelining = true\n"});
    EXPECT_TRUE(warnings.empty());
    EXPECT_EQ(policy.limits_for("x.example").pipeline_next, PipelineNext::off);
    EXPECT_TRUE(policy.limits_for("x.example").enable_pipelining);
    EXPECT_EQ(policy.limits_for("a.example").pipeline_next, PipelineNext::on);
    EXPECT_FALSE(policy.limits_for("a.example").enable_pipelining);
    EXPECT_EQ(policy.limits_for("b.example").pipeline_next, PipelineNext::automatic);
    EXPECT_TRUE(policy.limits_for("b.example").enable_pipelining);
    EXPECT_EQ(ShapingPolicy().limits_for("x.example").pipeline_next, PipelineNext::automatic);
    for (const char* wrong : {"pipeline_next = true", "pipeline_next = \"never\"",
                              "enable_pipelining = \"on\"", "enable_pipelining = 1"}) {
        EXPECT_EQ(problems("[\"a.example\"]\n" + std::string(wrong) + "\n").size(), 1U) << wrong;
    }
}

TEST(ShapingPolicy, reads_how_long_to_wait) {
    const auto [policy, warnings] =
        loaded({"[\"default\"]\nidle_timeout = \"60s\"\nconnect_timeout = \"1 minute\"\n"
                "[\"a.example\"]\nidle_timeout = \"5s\"\nbanner_timeout = \"10m\"\n"
                "[\"b.example\"]\nconnection_limit = 1\n",
                "[\"a.example\"]\nbanner_timeout = \"20m\"\n"});
    EXPECT_TRUE(warnings.empty());
    EXPECT_EQ(policy.limits_for("b.example").time_limits(),
              (TimeLimits{.connect = 1min, .idle = 60s}));
    EXPECT_EQ(policy.limits_for("a.example").time_limits(),
              (TimeLimits{.connect = 1min, .banner = 20min, .idle = 5s}));
    EXPECT_EQ(ShapingPolicy().limits_for("a.example").time_limits(), TimeLimits{});
    for (const TimeLimitOption& option : kTimeLimitOptions) {
        const std::string name(option.name);
        const auto all = loaded({"[\"a.example\"]\n" + name + " = \"1000s\"\n"});
        TimeLimits expected;
        expected.*option.member = 1000s;
        EXPECT_EQ(all.policy.limits_for("a.example").time_limits(), expected) << name;
        EXPECT_TRUE(all.warnings.empty()) << name;
        for (const char* wrong : {"\"500ms\"", "\"2d\"", "\"soon\"", "60", "[\"60s\"]"}) {
            EXPECT_EQ(problems("[\"a.example\"]\n" + name + " = " + wrong + "\n"),
                      std::vector<std::string>{"s.toml:2: [\"a.example\"] " + name +
                                               " must be a time from \"1s\" to \"1d\""});
        }
    }
}

// Allowed, and said: a short wait for the reply to the final dot repeats messages.
TEST(ShapingPolicy, warns_of_waits_that_are_too_short) {
    const auto [policy, warnings] =
        loaded({"[\"a.example\"]\nbanner_timeout = \"1m\"\nmail_from_timeout = \"299s\"\n"
                "rcpt_to_timeout = \"5m\"\ndata_timeout = \"30s\"\n"
                "data_block_timeout = \"1m\"\ndata_dot_timeout = \"60s\"\n"
                "rset_timeout = \"1s\"\n"});
    std::vector<std::string> sentences;
    for (const Problem& each : warnings)
        sentences.push_back(each.to_string());
    ASSERT_EQ(sentences.size(), 5U);
    EXPECT_EQ(sentences[0],
              "s0.toml:2: [\"a.example\"] banner_timeout = \"1m\" is below the least of RFC 5321 "
              "section 4.5.3.2.1, 5m: a server that is slower gets no mail");
    EXPECT_TRUE(sentences[1].starts_with("s0.toml:3: [\"a.example\"] mail_from_timeout"));
    EXPECT_TRUE(sentences[2].starts_with("s0.toml:5: [\"a.example\"] data_timeout"));
    EXPECT_TRUE(sentences[3].starts_with("s0.toml:6: [\"a.example\"] data_block_timeout"));
    EXPECT_EQ(sentences[4],
              "s0.toml:7: [\"a.example\"] data_dot_timeout = \"60s\" is below the least of RFC "
              "5321 section 4.5.3.2.6, 10m: a server that takes the message and answers later gets "
              "it twice");
    EXPECT_EQ(policy.limits_for("a.example").time_limits().data_dot, 60s);
}

}  // namespace
}  // namespace relay
