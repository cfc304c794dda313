#include "relay/routing/site.h"

#include <gtest/gtest.h>

#include "relay/routing/site_table.h"

namespace relay {
namespace {

SiteFacts by_route(const std::string& host) {
    SiteFacts facts;
    facts.routed = true;
    facts.hops.push_back({.host = host, .port = 25});
    return facts;
}

SiteFacts by_mx(std::vector<dns::MxGroup> groups, const std::string& site) {
    SiteFacts facts;
    facts.plan.groups = std::move(groups);
    facts.plan.site = site;
    return facts;
}

// The name of a path is for people: mail that requires TLS must not go over connections of a route
// without TLS, only because its domain is spelled like a remark of ours.
TEST(Site, paths_of_the_same_name_are_different_paths) {
    SiteFacts own_tls = by_route("hub.example");
    own_tls.route = "requiretls";
    identify(own_tls);
    SiteFacts required = by_route("hub.example");
    required.tls_request = TlsRequest::required;
    identify(required);
    EXPECT_EQ(own_tls.name, "hub.example:25/requiretls");
    EXPECT_EQ(own_tls.name, required.name);
    EXPECT_NE(own_tls.path, required.path);

    SiteTable table(4);
    Site* const one = table.intern(own_tls);
    Site* const other = table.intern(required);
    EXPECT_NE(one, other);
    EXPECT_EQ(table.intern(own_tls), one);
    EXPECT_FALSE(table.release(one));
    EXPECT_TRUE(table.release(one));
    EXPECT_TRUE(table.release(other));
}

TEST(Site, preferences_change_the_version_and_not_the_path) {
    SiteFacts first = by_mx({{10, {"a.example"}}, {20, {"b.example"}}}, "(a|b).example");
    identify(first);
    SiteFacts later = by_mx({{10, {"b.example"}}, {20, {"a.example"}}}, "(a|b).example");
    identify(later);
    EXPECT_EQ(first.path, later.path);
    EXPECT_NE(first.fingerprint, later.fingerprint);
    EXPECT_NE(version_of(first), version_of(later));
}

TEST(Site, a_table_a_policy_and_dnssec_make_paths_of_their_own) {
    const auto changed = [](auto change) {
        SiteFacts facts = by_mx({{10, {"a.example", "b.example"}}}, "(a|b).example");
        change(facts);
        identify(facts);
        return facts;
    };
    const SiteFacts plain = changed([](SiteFacts&) {});
    const SiteFacts table = changed([](SiteFacts& facts) { facts.table = "reader.example"; });
    const SiteFacts dnssec = changed([](SiteFacts& facts) { facts.plan.authenticated = true; });
    const SiteFacts policy = changed([](SiteFacts& facts) {
        facts.sts = true;
        facts.sts_hosts = {"a.example"};
    });
    EXPECT_EQ(plain.name, "(a|b).example");
    EXPECT_EQ(table.name, "reader.example!(a|b).example");
    EXPECT_EQ(dnssec.name, "(a|b).example/dnssec");
    EXPECT_EQ(policy.name, "(a|b).example/sts:a.example");
    for (const SiteFacts* other : {&table, &dnssec, &policy})
        EXPECT_NE(other->path, plain.path) << other->name;
}

}  // namespace
}  // namespace relay
