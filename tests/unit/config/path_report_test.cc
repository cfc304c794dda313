// What `posthaste path show` says, for ten domains, is in tests/data/path_show.txt. To renew it:
// POSTHASTE_RENEW_DOCS=1 build/dev/bin/unit_config --gtest_filter='PathReport.*'
#include "relay/config/path_report.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace relay
