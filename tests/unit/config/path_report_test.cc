// What `posthaste path show` says, for ten domains, is in tests/data/path_show.txt. To renew it:
// POSTHASTE_RENEW_DOCS=1 build/dev/bin/unit_config --gtest_filter='PathReport.*'
#include "relay/config/path_report.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/config/egress.h"
#include "relay/config/parse.h"
#include "relay/shaping/built_in.h"

namespace relay {
namespace {

const std::string kConfig = R"([node]
hostname = "mta1.example"
[[listener]]
address = ["127.0.0.1:2525"]
[[route]]
domain = "internal.example"
hosts = ["smtp.internal.example:587"]
tls = "verify"
[delivery]
port = 2526
[retry]
max_age = "3d"
[shaping.default]
connection_limit = 12
)";

const std::string kFirst = R"(["default"]
max_message_rate = "200/s"
idle_timeout = "1m"
[provider."google"]
provider_connection_limit = 8
[provider."google".sources."default"]
max_deliveries_per_connection = 40
["slow.example"]
connection_limit = 2
max_message_rate = "10/5m"
retry_intervals = ["10m", "1h"]
)";

const std::string kSecond = R"(["slow.example"]
connection_limit = 1
max_age = "2d"
["smtp.internal.example"]
max_message_rate = "5000/s"
["gmx.example"]
tls = "opportunistic"
ehlo_domain = "out.example"
[provider."orange"]
replace_base = true
[provider."by-domain"]
match = [{DomainSuffix=".school.example"}]
provider_max_message_rate = "5/s"
)";

CheckedConfig checked() {
    auto config = parse_config(kConfig, "posthaste.toml");
    if (!config) ADD_FAILURE() << config.error().front().to_string();
    auto shaping =
        ShapingPolicy::parse({built_in_shaping(), {"first.toml", kFirst}, {"second.toml", kSecond}},
                             config->shaping.defaults);
    if (!shaping) ADD_FAILURE() << shaping.error().front().to_string();
    return {.config = *config,
            .shaping = std::move(shaping->policy),
            .bounce = nullptr,
            .warnings = {},
            .tls_roots = {}};
}

TEST(PathReport, of_ten_domains_is_the_golden_file) {
    const CheckedConfig config = checked();
    const std::vector<PathQuestion> questions{
        {.domain = "gmail.com",
         .mx = {"gmail-smtp-in.l.google.com", "alt1.gmail-smtp-in.l.google.com"}},
        {.domain = "Workspace.EXAMPLE.", .mx = {"aspmx.l.google.com"}, .source = "ip-1"},
        {.domain = "yahoo.com", .mx = {"mta5.am0.yahoodns.net"}},
        {.domain = "contoso.example", .mx = {"contoso-example.mail.protection.outlook.com"}},
        {.domain = "comcast.net", .mx = {"mx1h1.comcast.net"}},
        {.domain = "gmx.example", .mx = {"mx00.gmx.net", "mx01.gmx.net"}},
        {.domain = "orange.fr", .mx = {"smtp-in.orange.fr"}},
        {.domain = "slow.example"},
        {.domain = "internal.example", .mx = {"aspmx.l.google.com"}},
        {.domain = "a.school.example", .mx = {"aspmx.l.google.com", "mx.other.example"}},
    };
    std::string all;
    for (const PathQuestion& question : questions)
        all += path_report(config, question) + "\n";
    const std::string name = POSTHASTE_TOP "/tests/data/path_show.txt";
    if (std::getenv("POSTHASTE_RENEW_DOCS") != nullptr) {
        std::ofstream(name, std::ios::binary) << all;
        return;
    }
    std::ifstream file(name, std::ios::binary);
    std::stringstream golden;
    golden << file.rdbuf();
    EXPECT_EQ(all, golden.str());
}

TEST(PathReport, names_the_line_that_set_each_limit) {
    const CheckedConfig config = checked();
    const auto line = [](const std::string& report, const std::string& option) {
        const std::size_t begin = report.find("\n  " + option + " ") + 1;
        return report.substr(begin, report.find('\n', begin) - begin);
    };
    const std::string gmail = path_report(config, {.domain = "gmail.com", .mx = {"mx.google.com"}});
    EXPECT_TRUE(gmail.contains("provider:  google (first.toml:4)")) << gmail;
    EXPECT_TRUE(
        line(gmail, "provider_connection_limit").ends_with("first.toml:5 [provider.\"google\"]"));
    EXPECT_TRUE(line(gmail, "max_deliveries_per_connection")
                    .ends_with("40                      first.toml:7 "
                               "[provider.\"google\".sources.\"default\"]"))
        << gmail;
    EXPECT_TRUE(line(gmail, "max_message_rate").ends_with("first.toml:2 [\"default\"]"));
    EXPECT_TRUE(line(gmail, "connection_limit").ends_with("posthaste.toml:14 [shaping] default"));
    EXPECT_TRUE(line(gmail, "max_age").ends_with("posthaste.toml:12 [retry]"));
    EXPECT_TRUE(line(gmail, "max_connection_rate").ends_with(" default"));
    const std::string slow = path_report(config, {.domain = "slow.example", .mx = {}});
    EXPECT_TRUE(line(slow, "connection_limit").ends_with("second.toml:2 [\"slow.example\"]"));
    EXPECT_TRUE(slow.contains("MX hosts:  not looked up"));
}

TEST(PathReport, names_the_sources_of_the_pool_and_their_own_limits) {
    const auto config = parse_config(
        kConfig +
            "[[egress_source]]\nname = \"ip-1\"\naddress = \"192.0.2.1\"\nehlo = \"o.example\"\n"
            "[[egress_source]]\nname = \"ip-2\"\nsocks5_proxy_server = \"192.0.2.9:1080\"\n"
            "[[egress_pool]]\nname = \"default\"\n"
            "sources = [{ name = \"ip-1\" }, { name = \"ip-2\", weight = 3 }]\n",
        "posthaste.toml");
    ASSERT_TRUE(config.has_value()) << config.error().front().to_string();
    auto shaping = ShapingPolicy::parse(
        {{"s.toml", "[\"a.example\".sources.\"ip-2\"]\nconnection_limit = 3\n"}},
        config->shaping.defaults, {"ip-1", "ip-2"});
    ASSERT_TRUE(shaping.has_value());
    EXPECT_TRUE(shaping->warnings.empty());
    CheckedConfig checked;
    checked.config = *config;
    checked.shaping = std::move(shaping->policy);
    checked.egress = egress_plan(*config, nullptr);
    const std::string report =
        path_report(checked, {.domain = "a.example", .mx = {}, .source = "ip-1"});
    EXPECT_NE(report.find("  pool:      default\n"
                          "    ip-1                         1 of 4, 192.0.2.1, EHLO o.example\n"
                          "    ip-2                         3 of 4 by a proxy\n"
                          "      connection_limit           3                       s.toml:2 "
                          "[\"a.example\".sources.\"ip-2\"]\n"
                          "  source:    ip-1\n"),
              std::string::npos)
        << report;
    EXPECT_NE(report.find("\"o.example\"             posthaste.toml:18 [[egress_source]]"),
              std::string::npos)
        << report;
}

}  // namespace
}  // namespace relay
