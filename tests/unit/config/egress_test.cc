#include "relay/config/egress.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/config/changes.h"
#include "relay/config/check.h"
#include "relay/config/parse.h"
#include "tests/unit/config/temporary_directory.h"

namespace relay {
namespace {

const std::string kListener = "[[listener]]\naddress = [\"127.0.0.1:2525\"]\n";

std::vector<std::string> problems_of(const std::string& text) {
    std::vector<std::string> lines;
    for (const Problem& each : read_config(kListener + text, "p").problems)
        lines.push_back(each.to_string());
    return lines;
}

using Lines = std::vector<std::string>;

TEST(EgressConfig, sources_and_pools_are_read) {
    const auto config = parse_config(
        kListener +
            "[[egress_source]]\nname = \"ip-1\"\naddress = \"192.0.2.10\"\nehlo = \"o.example\"\n"
            "[[egress_source]]\nname = \"ip-2\"\naddress = [\"192.0.2.11\", \"2001:db8::11\"]\n"
            "[[egress_source]]\nname = \"far\"\nha_proxy_server = \"192.0.2.1:5000\"\n"
            "ha_proxy_source_address = \"198.51.100.1\"\n"
            "[[egress_source]]\nname = \"socks\"\nsocks5_proxy_server = \"[2001:db8::1]:1080\"\n"
            "[[egress_pool]]\nname = \"bulk\"\n"
            "sources = [{ name = \"ip-1\" }, { name = \"ip-2\", weight = 7 }, "
            "{ name = \"default\", weight = 0 }]\n",
        "p");
    ASSERT_TRUE(config.has_value()) << config.error()[0].to_string();
    ASSERT_EQ(config->egress_sources.size(), 4U);
    EXPECT_EQ(config->egress_sources[0].source.ehlo, "o.example");
    EXPECT_EQ(config->egress_sources[1].source.addresses.size(), 2U);
    EXPECT_TRUE(config->egress_sources[2].source.proxied());
    EXPECT_EQ(config->egress_sources[3].source.socks5_proxy_server->to_string(),
              "[2001:db8::1]:1080");
    ASSERT_EQ(config->egress_pools.size(), 1U);
    EXPECT_EQ(config->egress_pools[0].pool.sources[0].weight, 1U);
    EXPECT_EQ(config->egress_pools[0].pool.sources[1].weight, 7U);
    const EgressPlan plan = egress_plan(*config, nullptr);
    EXPECT_EQ(plan.pool("bulk")->members.size(), 2U);
}

TEST(EgressConfig, each_mistake_has_its_sentence) {
    EXPECT_EQ(problems_of("[[egress_source]]\naddress = \"192.0.2.1\"\n"),
              Lines{"p:3: [[egress_source]] needs a name such as \"ip-1\""});
    EXPECT_EQ(problems_of("[[egress_source]]\nname = \"a\"\naddress = \"mx.example\"\n"),
              Lines{"p:5: [[egress_source]] address : \"mx.example\" is not an IP address"});
    EXPECT_EQ(problems_of("[[egress_source]]\nname = \"a\"\naddress = \"0.0.0.0\"\n"),
              Lines{"p:5: [[egress_source]] address : \"0.0.0.0\" is no address of a machine; "
                    "leave the key out for any"});
    EXPECT_EQ(
        problems_of("[[egress_source]]\nname = \"a\"\naddress = [\"192.0.2.1\", \"192.0.2.2\"]\n"),
        Lines{"p:5: [[egress_source]] address must have one IPv4 and one IPv6 address at most"});
    EXPECT_EQ(problems_of("[[egress_source]]\nname = \"\"\n"),
              Lines{"p:4: [[egress_source]] name must be one line of 1 to 80 octets"});
    EXPECT_EQ(problems_of("[[egress_source]]\nname = \"a\"\nehlo = \"a b\"\n"),
              Lines{"p:5: [[egress_source]] ehlo = \"a b\" is not the name of a host such as "
                    "\"mta1-1.example.com\""});
    EXPECT_EQ(problems_of("[[egress_source]]\nname = \"a\"\n[[egress_source]]\nname = \"a\"\n"),
              Lines{"p:5: [[egress_source]] name = \"a\" is there twice"});
}

TEST(EgressConfig, a_proxy_is_whole_and_alone) {
    EXPECT_EQ(
        problems_of("[[egress_source]]\nname = \"a\"\nha_proxy_server = \"192.0.2.1:1\"\n"),
        Lines{"p:3: [[egress_source]] ha_proxy_server and ha_proxy_source_address go together"});
    EXPECT_EQ(
        problems_of("[[egress_source]]\nname = \"a\"\nsocks5_proxy_server = \"192.0.2.1\"\n"),
        Lines{"p:5: [[egress_source]] socks5_proxy_server = \"192.0.2.1\" is not an address with "
              "a port such as \"192.0.2.1:5000\""});
    EXPECT_EQ(problems_of("[[egress_source]]\nname = \"a\"\n"
                          "socks5_proxy_source_address = \"192.0.2.1\"\n"),
              Lines{"p:3: [[egress_source]] socks5_proxy_source_address needs "
                    "socks5_proxy_server"});
    EXPECT_EQ(problems_of("[[egress_source]]\nname = \"a\"\nha_proxy_server = \"192.0.2.1:1\"\n"
                          "ha_proxy_source_address = \"192.0.2.2\"\n"
                          "socks5_proxy_server = \"192.0.2.1:2\"\n"),
              Lines{"p:3: [[egress_source]] has ha_proxy_server and socks5_proxy_server; mail "
                    "goes by one proxy"});
    EXPECT_EQ(problems_of("[[egress_source]]\nname = \"a\"\naddress = \"2001:db8::1\"\n"
                          "socks5_proxy_server = \"192.0.2.1:2\"\n"),
              Lines{"p:3: [[egress_source]] address is bound towards the proxy, and has no address "
                    "of the family of 192.0.2.1:2"});
}

TEST(EgressConfig, a_pool_names_sources_that_there_are) {
    const std::string a = "[[egress_source]]\nname = \"a\"\n";  // lines 3 and 4
    const std::string pool = "[[egress_pool]]\nname = \"p\"\n";
    EXPECT_EQ(problems_of(a + pool + "sources = [{ name = \"b\" }]\n"),
              Lines{"p:7: [[egress_pool]] \"p\" names the source \"b\", and there is no such "
                    "[[egress_source]]"});
    EXPECT_EQ(problems_of(a + pool + "sources = [{ name = \"a\" }, { name = \"a\" }]\n"),
              Lines{"p:7: [[egress_pool]] \"p\" names the source \"a\" twice"});
    EXPECT_EQ(problems_of(a + pool + "sources = [{ name = \"a\", weight = 0 }]\n"),
              Lines{"p:5: [[egress_pool]] \"p\" has no source of a weight above 0"});
    EXPECT_EQ(problems_of(a + pool + "sources = [{ name = \"a\", weight = -1 }]\n"),
              Lines{"p:7: [[egress_pool]] sources weight must be from 0 to 1000000, not -1"});
    EXPECT_EQ(problems_of(a + pool + "sources = [{ name = \"a\", wait = 1 }]\n"),
              Lines{"p:7: [[egress_pool]] sources has no key \"wait\""});
    EXPECT_EQ(problems_of(a + pool + "sources = [\"a\"]\n"),
              Lines{"p:7: [[egress_pool]] sources must be a list such as [{ name = \"ip-1\", "
                    "weight = 1 }]"});
    EXPECT_EQ(problems_of(a + pool),
              Lines{"p:5: [[egress_pool]] needs sources such as [{ name = \"ip-1\", weight = 1 "
                    "}]"});
    EXPECT_EQ(problems_of("[[egress_pool]]\nsources = [{ name = \"default\" }]\n"),
              Lines{"p:3: [[egress_pool]] needs a name such as \"bulk\""});
    const std::string whole = pool + "sources = [{ name = \"a\" }]\n";
    EXPECT_EQ(problems_of(a + whole + whole),
              Lines{"p:8: [[egress_pool]] name = \"p\" is there twice"});
}

TEST(EgressConfig, an_address_that_the_machine_lacks_is_a_warning) {
    const TemporaryDirectory directory;
    const std::string least =
        "[spool]\ndurability = \"memory\"\n[node]\nhostname = \"mta.example\"\ndata_dir = "
        "\"data\"\n" +
        kListener;
    const auto file = directory.write(
        "p.toml", least +
                      "[[egress_source]]\nname = \"here\"\naddress = \"127.0.0.9\"\n"
                      "[[egress_source]]\nname = \"gone\"\naddress = \"192.0.2.9\"\n");
    const auto checked = check_config(file);
    ASSERT_TRUE(checked.has_value()) << checked.error()[0].to_string();
    ASSERT_EQ(checked->warnings.size(), 1U);
    EXPECT_EQ(checked->warnings[0].to_string(),
              file.string() +
                  ":13: [[egress_source]] \"gone\" address = \"192.0.2.9\": Cannot assign "
                  "requested address: no mail leaves by it until this machine has it");
}

TEST(EgressConfig, a_reload_tells_what_changed) {
    const auto checked = [](const std::string& text) {
        CheckedConfig one;
        one.config = *parse_config(kListener + text, "p");
        return one;
    };
    const std::string pool = "[[egress_pool]]\nname = \"p\"\nsources = [{ name = \"a\" }]\n";
    const CheckedConfig before =
        checked("[[egress_source]]\nname = \"a\"\n[[egress_source]]\nname = \"b\"\n" + pool);
    const CheckedConfig after = checked("[[egress_source]]\nname = \"a\"\nehlo = \"a.example\"\n" +
                                        pool + "[[egress_source]]\nname = \"c\"\n");
    Lines lines;
    each_change(before, after, [&](const Change& change) {
        EXPECT_EQ(change.in_force, InForce::reload);
        lines.push_back(change.to_string());
    });
    EXPECT_EQ(lines, (Lines{"p: [[egress_source]] \"b\" (p:5) is gone",
                            "p:5: [[egress_source]] \"a\" ehlo: `[node] hostname` → \"a.example\"",
                            "p:9: [[egress_source]] \"c\" is new"}));
}

}  // namespace
}  // namespace relay
