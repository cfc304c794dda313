#include "relay/shaping/provider.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/shaping/built_in.h"

namespace relay {
namespace {

using Hosts = std::vector<std::string>;

ShapingPolicy policy_of(const std::vector<std::string>& texts) {
    std::vector<ShapingText> named;
    for (std::size_t i = 0; i < texts.size(); ++i)
        named.push_back({"s" + std::to_string(i) + ".toml", texts[i]});
    auto loaded = ShapingPolicy::parse(named, {});
    if (!loaded) ADD_FAILURE() << loaded.error().front().to_string();
    return loaded ? std::move(loaded->policy) : ShapingPolicy();
}

TEST(Provider, each_host_must_fit_a_rule) {
    const std::vector<ProviderMatch> rules{{MatchKind::mx_suffix, ".google.com"},
                                           {MatchKind::mx_suffix, ".googlemail.com"},
                                           {MatchKind::host_name, "mx.example"}};
    EXPECT_TRUE(belongs_to(rules, "a.example", Hosts{"aspmx.l.google.com"}));
    EXPECT_TRUE(belongs_to(rules, "a.example", Hosts{"ASPMX.L.Google.com.", "x.googlemail.com"}));
    EXPECT_TRUE(belongs_to(rules, "a.example", Hosts{"mx.example", "a.google.com"}));
    EXPECT_FALSE(belongs_to(rules, "a.example", Hosts{"a.google.com", "backup.example"}));
    EXPECT_FALSE(belongs_to(rules, "a.example", Hosts{"notgoogle.com"}));
    EXPECT_FALSE(belongs_to(rules, "a.example", Hosts{"google.com"}));
    EXPECT_FALSE(belongs_to(rules, "a.example", Hosts{"b.mx.example"}));
    EXPECT_FALSE(belongs_to(rules, "a.google.com", Hosts{}));
}

TEST(Provider, a_domain_fits_by_its_suffix_whatever_its_hosts) {
    const std::vector<ProviderMatch> rules{{MatchKind::domain_suffix, ".example"}};
    EXPECT_TRUE(belongs_to(rules, "a.EXAMPLE", Hosts{"mx.other"}));
    EXPECT_FALSE(belongs_to(rules, "a.other", Hosts{"mx.example"}));
    EXPECT_FALSE(belongs_to(rules, "", Hosts{"mx.example"}));  // it goes by a route
}

TEST(Provider, of_several_that_fit_the_last_one_has_the_mail) {
    const ShapingPolicy policy =
        policy_of({"[provider.\"z\"]\nmatch = [{MXSuffix=\".example\"}]\n"
                   "[provider.\"a\"]\nmatch = [{MXSuffix=\".example\"}]\n",
                   "[provider.\"z\"]\nconnection_limit = 2\n"});
    EXPECT_EQ(policy.provider_of("x.test", Hosts{"mx.example"}), "a");
    EXPECT_EQ(policy.provider_of("x.test", Hosts{"mx.test"}), "");
}

TEST(Provider, limits_rise_from_the_default_over_the_provider_to_the_domain_and_their_sources) {
    const ShapingPolicy policy = policy_of(
        {"[default]\nconnection_limit = 2\nmax_deliveries_per_connection = 2\n"
         "max_recipients_per_batch = 2\nsmtp_port = 2\n"
         "[provider.\"p\"]\nmatch = [{MXSuffix=\".example\"}]\nmax_deliveries_per_connection = 3\n"
         "max_recipients_per_batch = 3\nsmtp_port = 3\n"
         "[provider.\"p\".sources.\"default\"]\nmax_recipients_per_batch = 4\nsmtp_port = 4\n"
         "[\"a.example\"]\nsmtp_port = 5\n"
         "[\"a.example\".sources.\"default\"]\nconnection_limit = 6\n"});
    ShapingScope scope{.table = "a.example", .provider = "p"};
    const ShapingLimits limits = policy.limits_for(scope);
    EXPECT_EQ(limits.connection_limit, 6U);
    EXPECT_EQ(limits.max_deliveries_per_connection, 3U);
    EXPECT_EQ(limits.max_recipients_per_batch, 4U);
    EXPECT_EQ(limits.smtp_port, 5U);
    scope.source = "ip-1";
    EXPECT_EQ(policy.limits_for(scope).connection_limit, 2U);
    EXPECT_EQ(policy.limits_for(scope).max_recipients_per_batch, 3U);
    EXPECT_EQ(policy.place_of(scope, "max_deliveries_per_connection").to_string(), "s0.toml:8");
}

TEST(Provider, a_later_file_changes_single_options_or_replaces_the_table) {
    const std::string first =
        "[provider.\"p\"]\nmatch = [{MXSuffix=\".example\"}]\nconnection_limit = 2\n"
        "provider_connection_limit = 3\n";
    const ShapingPolicy changed = policy_of({first,
                                             "[provider.\"p\"]\nmatch = [{MXSuffix=\".test\"}]\n"
                                             "provider_connection_limit = \"local:9\"\n"});
    EXPECT_EQ(changed.provider_of("", Hosts{"mx.example", "mx.test"}), "p");
    const ShapingLimits limits = changed.limits_for({.table = {}, .provider = "p"});
    EXPECT_EQ(limits.connection_limit, 2U);
    EXPECT_EQ(limits.provider_connection_limit, 9U);
    const ShapingPolicy replaced = policy_of({first, "[provider.\"p\"]\nreplace_base = true\n"});
    EXPECT_EQ(replaced.provider_of("", Hosts{"mx.example"}), "");
    EXPECT_FALSE(replaced.limits_for({.table = {}, .provider = "p"}).shares_with_provider());
}

TEST(Provider, its_name_is_a_label_before_those_of_domains) {
    const ShapingPolicy policy =
        policy_of({"[provider.\"p\"]\nmatch = [{MXSuffix=\".example\"}]\n[\"a.example\"]\n"});
    EXPECT_EQ(policy.destination_names(), (std::vector<std::string>{"other", "p", "a.example"}));
    EXPECT_EQ(policy.destination_of({.table = "a.example", .provider = "p"}), 1U);
    EXPECT_EQ(policy.destination_of({.table = "a.example", .provider = {}}), 2U);
    EXPECT_EQ(policy.destination_of({.table = {}, .provider = {}}), 0U);
}

// What receivers say that they allow, by their MX hosts.
TEST(Provider, the_built_in_file_carries_the_large_ones) {
    const auto loaded = ShapingPolicy::parse({built_in_shaping()}, {});
    ASSERT_TRUE(loaded.has_value());
    EXPECT_TRUE(loaded->warnings.empty());
    const ShapingPolicy& policy = loaded->policy;
    const auto limits = [&policy](const std::string& host, std::string_view name) {
        const std::string_view provider = policy.provider_of("x.test", Hosts{host});
        EXPECT_EQ(provider, name);
        return policy.limits_for({.table = {}, .provider = provider});
    };
    const ShapingLimits google = limits("gmail-smtp-in.l.google.com", "google");
    EXPECT_EQ(google.provider_connection_limit, 5U);
    EXPECT_EQ(google.max_deliveries_per_connection, 50U);
    EXPECT_EQ(google.tls, TlsPolicy::verify);
    EXPECT_EQ(limits("mta5.am0.yahoodns.net", "yahoo").max_deliveries_per_connection, 20U);
    EXPECT_EQ(limits("x.olc.protection.outlook.com", "outlook").provider_connection_limit, 5U);
    EXPECT_EQ(limits("x.mail.protection.outlook.com", "office365").provider_connection_limit, 5U);
    EXPECT_EQ(limits("x.b-v1.mx.microsoft", "office365-dane").provider_connection_limit, 5U);
    EXPECT_EQ(limits("mx01.mail.icloud.com", "apple").max_deliveries_per_connection, 5U);
    EXPECT_EQ(limits("eu-smtp-inbound-1.mimecast.com", "mimecast").connection_limit, 10U);
    EXPECT_EQ(limits("smtp-in.orange.fr", "orange").provider_connection_limit, 2U);
    EXPECT_EQ(limits("mx00.gmx.net", "gmx.net_web.de").connection_limit, 4U);
    EXPECT_EQ(limits("d1.ess.barracudanetworks.com", "barracuda").provider_connection_limit, 10U);
    EXPECT_EQ(limits("mx1.netvigator.com", "netvigator").provider_connection_limit, 5U);
    EXPECT_EQ(limits("mx.kpnmail.nl", "kpn").max_deliveries_per_connection, 10U);
    EXPECT_EQ(limits("mx3.qq.com", "qq.com").max_deliveries_per_connection, 8U);
    EXPECT_EQ(limits("163mx01.mxmail.netease.com", "163.com").tls, TlsPolicy::encrypt);
    EXPECT_EQ(policy.limits_for("comcast.net").max_deliveries_per_connection, 1000U);
    EXPECT_EQ(policy.limits_for("mail.com").max_deliveries_per_connection, 100U);
    EXPECT_EQ(policy.limits_for("yahoo.co.jp").max_message_rate.count, 10U);
}

}  // namespace
}  // namespace relay
