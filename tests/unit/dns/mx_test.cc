#include "dns/mx.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include <gtest/gtest.h>

#include "tests/sim/sim_world.h"
#include "tests/unit/dns/scripted_resolver.h"

namespace dns {
namespace {

using std::chrono::seconds;
using Strings = std::vector<std::string>;

core::Task<void> store_mx(Resolver& resolver, std::string domain, const RoutingRules& rules,
                          std::optional<MxResult>& result) {
    result = co_await resolve_mx(resolver, std::move(domain), rules);
}

core::Task<void> store_addresses(Resolver& resolver, std::string host, const RoutingRules& rules,
                                 AddressFamilies families, std::optional<AddressResult>& result) {
    result = co_await resolve_addresses(resolver, std::move(host), rules, families);
}

class MxTest : public testing::Test {
  protected:
    MxTest() {
        for (const char* network : {"127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128"}) {
            rules_.prohibited.push_back(*core::IpNetwork::parse(network));
        }
        rules_.own_names = {"MTA1.example.net."};
        rules_.own_addresses = {*core::IpAddress::parse("192.0.2.99")};
    }

    MxResult resolve(const std::string& domain) {
        std::optional<MxResult> result;
        EXPECT_TRUE(world_.run(world_.shard(), store_mx(dns_, domain, rules_, result)));
        return *result;
    }
    AddressResult host(const std::string& name,
                       AddressFamilies families = AddressFamilies::v4_then_v6) {
        std::optional<AddressResult> result;
        EXPECT_TRUE(
            world_.run(world_.shard(), store_addresses(dns_, name, rules_, families, result)));
        return *result;
    }
    static Strings texts(const AddressResult& result) {
        Strings list;
        for (const auto& address : result->addresses)
            list.push_back(address.to_string());
        return list;
    }
    static std::string code_of(const RouteFailure& failure) {
        const FailureCodes codes = codes_of(failure.kind);
        return std::to_string(codes.reply) + ' ' + std::to_string(codes.klass()) + '.' +
               std::to_string(codes.subject) + '.' + std::to_string(codes.detail);
    }
    void expect_failure(const std::string& domain, FailureKind kind, const std::string& code) {
        const MxResult result = resolve(domain);
        ASSERT_FALSE(result) << domain;
        EXPECT_EQ(result.error().kind, kind) << domain << ": " << result.error().text;
        EXPECT_EQ(code_of(result.error()), code) << domain;
        EXPECT_NE(result.error().text, "");
    }

    sim::SimWorld world_{1};
    ScriptedResolver dns_{world_.shard()};
    RoutingRules rules_;
};

TEST_F(MxTest, sorts_by_preference_and_groups_equals) {
    dns_.mx("example.com", {{20, "b.example.com"}, {10, "z.example.com"}, {20, "a.example.com"}},
            77);
    const MxResult plan = resolve("Example.COM");
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->domain, "example.com");
    EXPECT_EQ(plan->ttl, seconds{77});
    EXPECT_FALSE(plan->implicit);
    ASSERT_EQ(plan->groups.size(), 2U);
    EXPECT_EQ(plan->groups[0].preference, 10);
    EXPECT_EQ(plan->groups[0].hosts, (Strings{"z.example.com"}));
    EXPECT_EQ(plan->groups[1].hosts, (Strings{"a.example.com", "b.example.com"}));
    EXPECT_EQ(plan->site, "(a|b|z).example.com");
}

TEST_F(MxTest, no_mx_means_the_domain_itself) {
    dns_.addresses("example.com", {"192.0.2.1"});
    const MxResult plan = resolve("example.com");
    ASSERT_TRUE(plan);
    EXPECT_TRUE(plan->implicit);
    ASSERT_EQ(plan->groups.size(), 1U);
    EXPECT_EQ(plan->groups[0].hosts, (Strings{"example.com"}));
    EXPECT_EQ(plan->site, "example.com");
}

TEST_F(MxTest, a_domain_that_does_not_exist_fails_for_good) {
    expect_failure("nowhere.example", FailureKind::no_such_domain, "550 5.1.2");
    EXPECT_TRUE(resolve("nowhere.example").error().permanent());
}

TEST_F(MxTest, failing_servers_never_make_a_permanent_failure) {
    dns_.set("fail.example", RecordType::mx, DnsStatus::servfail, 5);
    dns_.set("slow.example", RecordType::mx, DnsStatus::timeout, 5);
    expect_failure("fail.example", FailureKind::temporary, "451 4.4.3");
    expect_failure("slow.example", FailureKind::temporary, "451 4.4.3");
    EXPECT_FALSE(resolve("slow.example").error().permanent());
    EXPECT_EQ(resolve("slow.example").error().ttl, seconds{5});
}

TEST_F(MxTest, null_mx) {
    dns_.mx("null.example", {{0, "."}});
    expect_failure("null.example", FailureKind::null_mx, "556 5.1.10");
}

TEST_F(MxTest, a_dot_among_others_is_ignored) {
    dns_.mx("odd.example", {{0, "."}, {10, "mx.odd.example"}});
    const MxResult plan = resolve("odd.example");
    ASSERT_TRUE(plan);
    EXPECT_EQ(delivery_order(*plan, world_.prng()), (Strings{"mx.odd.example"}));
}

TEST_F(MxTest, literals_are_no_hosts_and_the_domains_address_is_no_fallback) {
    dns_.mx("literal.example", {{10, "192.0.2.1"}, {20, "2001\\058db8\\058\\0581"}});
    dns_.addresses("literal.example", {"192.0.2.7"});
    expect_failure("literal.example", FailureKind::unusable, "550 5.4.4");
}

// RFC 5321 section 4.1.3 and 5: the address itself, nothing is asked; off unless allowed.
TEST_F(MxTest, address_literals_are_their_own_host_where_they_are_allowed) {
    expect_failure("[192.0.2.1]", FailureKind::bad_domain, "550 5.1.2");
    rules_.address_literals = true;
    for (const auto& [literal, address] :
         std::map<std::string, std::string>{{"[192.0.2.1]", "192.0.2.1"},
                                            {"[ipv6:2001:db8::1]", "2001:db8::1"},
                                            {"[IPv6:::ffff:192.0.2.7]", "192.0.2.7"}}) {
        const MxResult plan = resolve(literal);
        ASSERT_TRUE(plan) << literal;
        EXPECT_TRUE(plan->literal);
        EXPECT_FALSE(plan->authenticated);
        EXPECT_EQ(plan->site, "[" + address + "]");
        const Strings hosts = delivery_order(*plan, world_.prng());
        ASSERT_EQ(hosts.size(), 1U);
        const AddressResult found = host(hosts[0]);
        ASSERT_TRUE(found) << literal;
        EXPECT_EQ(texts(found), Strings{address});
        EXPECT_FALSE(found->authenticated);
    }
    EXPECT_TRUE(dns_.asked.empty());
    expect_failure("[IPv6:192.0.2.1]", FailureKind::bad_domain, "550 5.1.2");
    expect_failure("192.0.2.1", FailureKind::bad_domain, "550 5.1.2");
    dns_.mx("literal.example", {{10, "192.0.2.1"}});  // an MX is a name all the same
    expect_failure("literal.example", FailureKind::unusable, "550 5.4.4");
}

TEST_F(MxTest, address_literals_may_be_ours_or_prohibited) {
    rules_.address_literals = true;
    const auto code = [this](const std::string& address, AddressFamilies families) {
        const AddressResult result = host(address, families);
        return result ? std::string("250") : code_of(result.error());
    };
    EXPECT_EQ(code("192.0.2.99", AddressFamilies::v4_then_v6), "554 5.4.6");
    EXPECT_EQ(code("127.0.0.1", AddressFamilies::v4_then_v6), "550 5.4.4");
    EXPECT_EQ(code("::1", AddressFamilies::v4_then_v6), "550 5.4.4");
    EXPECT_EQ(code("192.0.2.1", AddressFamilies::v6_only), "550 5.4.4");
    EXPECT_EQ(code("192.0.2.1", AddressFamilies::v4_only), "250");
    EXPECT_EQ(code("2001:db8::1", AddressFamilies::v4_only), "550 5.4.4");
}

TEST_F(MxTest, own_host_drops_its_preference_and_all_worse_ones) {
    dns_.mx("us.example",
            {{10, "a.example"}, {20, "mta1.example.net"}, {20, "b.example"}, {30, "c.example"}});
    const MxResult plan = resolve("us.example");
    ASSERT_TRUE(plan);
    EXPECT_EQ(delivery_order(*plan, world_.prng()), (Strings{"a.example"}));
    dns_.mx("loop.example", {{10, "mta1.example.net"}, {10, "b.example"}, {30, "c.example"}});
    expect_failure("loop.example", FailureKind::own_host, "554 5.4.6");
    dns_.addresses("mta1.example.net", {"192.0.2.99"});
    expect_failure("mta1.example.net", FailureKind::own_host, "554 5.4.6");
}

TEST_F(MxTest, alias_restarts_the_lookup) {
    dns_.alias("alias.example", "real.example", RecordType::mx, 60);
    dns_.mx("real.example", {{10, "mx.real.example"}}, 300);
    const MxResult plan = resolve("alias.example");
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->domain, "alias.example");
    EXPECT_EQ(plan->canonical_name, "real.example");
    EXPECT_EQ(plan->ttl, seconds{60});
    EXPECT_EQ(plan->site, "mx.real.example");
}

TEST_F(MxTest, alias_without_mx_makes_its_target_the_host) {
    dns_.alias("alias.example", "real.example", RecordType::mx, 60);
    dns_.addresses("real.example", {"192.0.2.1"});
    const MxResult plan = resolve("alias.example");
    ASSERT_TRUE(plan);
    EXPECT_TRUE(plan->implicit);
    EXPECT_EQ(plan->groups[0].hosts, (Strings{"real.example"}));
}

TEST_F(MxTest, alias_to_nothing_does_not_exist) {
    dns_.alias("alias.example", "gone.example", RecordType::mx);
    expect_failure("alias.example", FailureKind::no_such_domain, "550 5.1.2");
}

TEST_F(MxTest, aliases_without_end_are_temporary_and_bounded) {
    dns_.alias("a.example", "b.example", RecordType::mx);
    dns_.alias("b.example", "a.example", RecordType::mx);
    expect_failure("a.example", FailureKind::temporary, "451 4.4.3");
    EXPECT_LE(dns_.asked.size(), static_cast<std::size_t>(kMaxAliases) + 1);
}

TEST_F(MxTest, what_is_no_domain_fails_without_a_lookup) {
    for (const char* domain :
         {"", "a..b", "[192.0.2.1]", "[IPv6:::1]", "192.0.2.1", "a b.example"}) {
        expect_failure(domain, FailureKind::bad_domain, "550 5.1.2");
    }
    EXPECT_TRUE(dns_.asked.empty());
}

TEST_F(MxTest, international_domain_is_asked_by_its_a_label) {
    dns_.mx("xn--bcher-kva.example", {{10, "mx.example"}});
    ASSERT_TRUE(
        resolve("b\xc3\xbc"
                "cher.example"));
    EXPECT_EQ(dns_.asked, (Strings{"xn--bcher-kva.example MX"}));
}

TEST_F(MxTest, a_host_counts_once_at_its_best_preference) {
    dns_.mx("twice.example",
            {{30, "a.example"}, {10, "b.example"}, {20, "a.example"}, {20, "a.example"}});
    const MxResult plan = resolve("twice.example");
    ASSERT_TRUE(plan);
    ASSERT_EQ(plan->groups.size(), 2U);
    EXPECT_EQ(plan->groups[1].preference, 20);
    EXPECT_EQ(plan->groups[1].hosts, (Strings{"a.example"}));
}

TEST_F(MxTest, keeps_the_most_preferred_hundred_hosts) {
    DnsAnswer& answer = dns_.set("many.example", RecordType::mx, DnsStatus::ok);
    for (std::uint16_t i = 0; i < 150; ++i) {
        answer.records.push_back(
            {"many.example", RecordType::mx, 60,
             MxData{static_cast<std::uint16_t>(1000 - i), "mx" + std::to_string(i) + ".example"}});
    }
    const MxResult plan = resolve("many.example");
    ASSERT_TRUE(plan);
    const Strings order = delivery_order(*plan, world_.prng());
    ASSERT_EQ(order.size(), kMaxMxHosts);
    EXPECT_EQ(order.front(), "mx149.example");
    EXPECT_EQ(order.back(), "mx50.example");
    EXPECT_LE(plan->site.size(), kMaxSiteName);
}

// Equal preferences are shuffled for each plan: over many plans each host is as often at each
// place (chi-squared, 7 degrees of freedom, p = 0.001), and places of two hosts are independent.
TEST_F(MxTest, equal_preferences_are_shuffled_per_plan) {
    constexpr std::size_t kHosts = 8;
    constexpr int kPlans = 16000;
    DnsAnswer& answer = dns_.set("equal.example", RecordType::mx, DnsStatus::ok);
    for (std::size_t i = 0; i < kHosts; ++i) {
        answer.records.push_back(
            {"equal.example", RecordType::mx, 60,
             MxData{10, std::string(1, static_cast<char>('a' + i)) + ".example"}});
    }
    answer.records.push_back({"equal.example", RecordType::mx, 60, MxData{5, "first.example"}});
    const MxResult plan = resolve("equal.example");
    ASSERT_TRUE(plan);
    core::Prng prng(20260101);
    std::array<std::array<int, kHosts>, kHosts> seen{};
    int a_before_b = 0;
    for (int n = 0; n < kPlans; ++n) {
        const Strings order = delivery_order(*plan, prng);
        ASSERT_EQ(order.size(), kHosts + 1);
        EXPECT_EQ(order[0], "first.example");
        for (std::size_t place = 0; place < kHosts; ++place) {
            ++seen[static_cast<std::size_t>(order[place + 1][0] - 'a')][place];
        }
        a_before_b += std::ranges::find(order, "a.example") < std::ranges::find(order, "b.example");
    }
    constexpr double kExpected = static_cast<double>(kPlans) / kHosts;
    for (std::size_t place = 0; place < kHosts; ++place) {
        double chi_squared = 0;
        for (std::size_t host = 0; host < kHosts; ++host) {
            const double off = seen[host][place] - kExpected;
            chi_squared += off * off / kExpected;
        }
        EXPECT_LT(chi_squared, 24.32) << "place " << place;
        EXPECT_GT(chi_squared, 0.0);
    }
    EXPECT_NEAR(a_before_b, kPlans / 2, 4 * 64);  // four standard deviations of 63.2
}

TEST(SiteName, factors_the_common_domain) {
    EXPECT_EQ(site_name({"mx.example.com"}), "mx.example.com");
    EXPECT_EQ(site_name({"mx2.example.com", "mx1.example.com", "mx1.example.com"}),
              "(mx1|mx2).example.com");
    EXPECT_EQ(site_name({"alt1.in.example.com", "in.example.com", "alt2.in.example.com"}),
              "(alt1|alt2)?.in.example.com");
    EXPECT_EQ(site_name({"mx.example.com", "mx.example.net"}), "(mx.example.com|mx.example.net)");
    EXPECT_EQ(site_name({"a.com", "b.com"}), "(a.com|b.com)");
    // A common ending that is not a whole label is not a common domain.
    EXPECT_EQ(site_name({"x.myexample.com", "y.example.com"}), "(x.myexample.com|y.example.com)");
    EXPECT_EQ(site_name({"a.b.example.com", "c.example.com"}), "(a.b|c).example.com");
}

TEST(SiteName, does_not_depend_on_order_and_tells_sets_apart) {
    EXPECT_EQ(site_name({"b.x.org", "a.x.org"}), site_name({"a.x.org", "b.x.org"}));
    EXPECT_NE(site_name({"a.x.org", "b.x.org"}), site_name({"a.x.org", "b.x.org", "x.org"}));
    EXPECT_NE(site_name({"a.x.org"}), site_name({"a.x.org", "b.x.org"}));
}

TEST(SiteName, long_sets_end_in_a_digest) {
    Strings hosts;
    for (int i = 0; i < 50; ++i)
        hosts.push_back("mx" + std::to_string(i) + ".example.com");
    Strings others = hosts;
    others.back() = "mx99.example.com";
    const std::string name = site_name(hosts);
    EXPECT_EQ(name.size(), kMaxSiteName);
    EXPECT_NE(name, site_name(others));
    std::ranges::reverse(hosts);
    EXPECT_EQ(name, site_name(hosts));
}

TEST_F(MxTest, addresses_of_both_families_alternate) {
    dns_.addresses("mx.example", {"192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"}, 40);
    EXPECT_EQ(texts(host("MX.example.")),
              (Strings{"192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.3"}));
    EXPECT_EQ(texts(host("mx.example", AddressFamilies::v6_then_v4)),
              (Strings{"2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"}));
    EXPECT_EQ(texts(host("mx.example", AddressFamilies::v6_only)), (Strings{"2001:db8::1"}));
    EXPECT_EQ(host("mx.example")->ttl, seconds{40});
    dns_.asked.clear();
    EXPECT_EQ(texts(host("mx.example", AddressFamilies::v4_only)),
              (Strings{"192.0.2.1", "192.0.2.2", "192.0.2.3"}));
    EXPECT_EQ(dns_.asked, (Strings{"mx.example A"}));
}

TEST_F(MxTest, addresses_are_bounded) {
    DnsAnswer& answer = dns_.set("mx.example", RecordType::a, DnsStatus::ok);
    for (std::uint32_t i = 1; i <= 40; ++i) {
        answer.records.push_back(
            {"mx.example", RecordType::a, 60, core::IpAddress::v4(0xc0000200 + i)});
    }
    EXPECT_EQ(host("mx.example")->addresses.size(), kMaxAddresses);
}

TEST_F(MxTest, a_host_with_one_family_is_enough_even_if_the_other_lookup_fails) {
    dns_.addresses("v6.example", {"2001:db8::1"});
    EXPECT_EQ(texts(host("v6.example")), (Strings{"2001:db8::1"}));
    dns_.addresses("half.example", {"192.0.2.1"});
    dns_.set("half.example", RecordType::aaaa, DnsStatus::timeout, 5);
    EXPECT_EQ(texts(host("half.example")), (Strings{"192.0.2.1"}));
}

TEST_F(MxTest, hosts_without_address_tell_permanent_from_temporary) {
    EXPECT_EQ(host("gone.example").error().kind, FailureKind::unusable);
    EXPECT_EQ(dns_.asked, (Strings{"gone.example A", "gone.example AAAA"}));
    dns_.set("txt.example", RecordType::txt, DnsStatus::ok);
    EXPECT_EQ(code_of(host("txt.example").error()), "550 5.4.4");
    dns_.set("half.example", RecordType::aaaa, DnsStatus::servfail, 5);
    EXPECT_EQ(code_of(host("half.example").error()), "451 4.4.3");
    dns_.set("fail.example", RecordType::a, DnsStatus::servfail, 5);
    EXPECT_EQ(code_of(host("fail.example").error()), "451 4.4.3");
    EXPECT_EQ(host("192.0.2.1").error().kind, FailureKind::unusable);
}

// C9: what one of the two lookups says never decides against the other. RFC 4074 section 4.2 knows
// the servers: NXDOMAIN, SERVFAIL, NOTIMP or silence for the type that they do not have.
TEST_F(MxTest, one_broken_answer_of_two_is_never_final) {
    using enum DnsStatus;
    struct Case {
        DnsStatus a, aaaa;
        std::string expected;  // addresses, or the reply
    };
    const std::vector<Case> cases{
        {nxdomain, ok, "2001:db8::1"},     {ok, nxdomain, "192.0.2.1"},
        {servfail, ok, "2001:db8::1"},     {ok, servfail, "192.0.2.1"},
        {timeout, ok, "2001:db8::1"},      {ok, timeout, "192.0.2.1"},
        {nodata, ok, "2001:db8::1"},       {ok, nodata, "192.0.2.1"},
        {nxdomain, nodata, "451 4.4.3"},   {nodata, nxdomain, "451 4.4.3"},
        {nxdomain, servfail, "451 4.4.3"}, {servfail, nxdomain, "451 4.4.3"},
        {nxdomain, timeout, "451 4.4.3"},  {timeout, nxdomain, "451 4.4.3"},
        {nodata, servfail, "451 4.4.3"},   {servfail, nodata, "451 4.4.3"},
        {nodata, timeout, "451 4.4.3"},    {timeout, nodata, "451 4.4.3"},
        {nxdomain, nxdomain, "550 5.4.4"}, {nodata, nodata, "550 5.4.4"},
    };
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const Case& one = cases[i];
        const std::string name = "mx" + std::to_string(i) + ".example";
        dns_.set(name, RecordType::a, one.a);
        dns_.set(name, RecordType::aaaa, one.aaaa);
        if (one.a == ok) dns_.addresses(name, {"192.0.2.1"});
        if (one.aaaa == ok) dns_.addresses(name, {"2001:db8::1"});
        for (const auto order : {AddressFamilies::v4_then_v6, AddressFamilies::v6_then_v4}) {
            const AddressResult found = host(name, order);
            const std::string got =
                found ? found->addresses.at(0).to_string() : code_of(found.error());
            EXPECT_EQ(got, one.expected) << to_string(one.a) << ' ' << to_string(one.aaaa);
        }
    }
}

// C9: the same of a domain whose MX lookup says that it does not exist.
TEST_F(MxTest, a_domain_is_gone_only_if_every_type_says_so) {
    using enum DnsStatus;
    struct Case {
        DnsStatus a, aaaa;
        std::string expected;  // host, or the reply
    };
    const std::vector<Case> cases{
        {ok, nxdomain, "itself"},          {nxdomain, ok, "itself"},
        {ok, timeout, "itself"},           {servfail, ok, "itself"},
        {nxdomain, servfail, "451 4.4.3"}, {timeout, nxdomain, "451 4.4.3"},
        {nodata, nxdomain, "451 4.4.3"},   {nodata, nodata, "451 4.4.3"},
        {nxdomain, nxdomain, "550 5.1.2"},
    };
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const Case& one = cases[i];
        const std::string name = "d" + std::to_string(i) + ".example";
        dns_.set(name, RecordType::mx, nxdomain);
        dns_.set(name, RecordType::a, one.a);
        dns_.set(name, RecordType::aaaa, one.aaaa);
        const MxResult found = resolve(name);
        const std::string got = !found ? code_of(found.error())
                                : found->groups.at(0).hosts == Strings{name} ? "itself"
                                                                             : "another";
        EXPECT_EQ(got, one.expected) << to_string(one.a) << ' ' << to_string(one.aaaa);
    }
}

// C9: MX says that there are none, and the addresses cannot be had: the domain is its own host, and
// that host fails for now.
TEST_F(MxTest, no_mx_and_addresses_that_fail_is_temporary) {
    dns_.set("d.example", RecordType::a, DnsStatus::servfail);
    dns_.set("d.example", RecordType::aaaa, DnsStatus::nodata);
    ASSERT_TRUE(resolve("d.example"));
    EXPECT_EQ(code_of(host("d.example").error()), "451 4.4.3");
    // A host that is gone and one that fails: temporary, in either order.
    EXPECT_FALSE(merge(host("gone.example").error(), host("d.example").error()).permanent());
    EXPECT_FALSE(merge(host("d.example").error(), host("gone.example").error()).permanent());
}

TEST_F(MxTest, prohibited_addresses_are_left_out) {
    dns_.addresses("mixed.example", {"127.0.0.1", "192.0.2.1", "::1"});
    EXPECT_EQ(texts(host("mixed.example")), (Strings{"192.0.2.1"}));
    for (const char* address : {"127.0.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"}) {
        const std::string name =
            "bad" + std::to_string(std::hash<std::string>{}(address)) + ".example";
        dns_.addresses(name, {address});
        const AddressResult result = host(name);
        ASSERT_FALSE(result) << address;
        EXPECT_EQ(result.error().kind, FailureKind::prohibited) << address;
        EXPECT_EQ(code_of(result.error()), "550 5.4.4");
    }
}

TEST_F(MxTest, own_address_is_an_own_host_whatever_its_name) {
    dns_.addresses("us.example", {"192.0.2.1", "192.0.2.99"});
    EXPECT_EQ(host("us.example").error().kind, FailureKind::own_host);
    dns_.addresses("mapped.example", {"::ffff:192.0.2.99"});
    EXPECT_EQ(host("mapped.example").error().kind, FailureKind::own_host);
}

TEST_F(MxTest, a_host_may_be_an_alias) {
    dns_.alias("mx.example", "real.example", RecordType::a);
    dns_.alias("mx.example", "real.example", RecordType::aaaa);
    dns_.addresses("real.example", {"192.0.2.1"});
    const AddressResult result = host("mx.example");
    ASSERT_TRUE(result);
    EXPECT_EQ(result->host, "mx.example");
    EXPECT_EQ(result->canonical_name, "real.example");
}

TEST_F(MxTest, temporary_wins_when_failures_are_merged) {
    dns_.set("fail.example", RecordType::a, DnsStatus::servfail, 5);
    const RouteFailure temporary = host("fail.example").error();
    const RouteFailure permanent = host("gone.example").error();
    EXPECT_EQ(merge(permanent, temporary).kind, FailureKind::temporary);
    EXPECT_EQ(merge(temporary, permanent).kind, FailureKind::temporary);
    EXPECT_EQ(merge(temporary, permanent).ttl, seconds{5});
    EXPECT_EQ(merge(permanent, permanent).kind, FailureKind::unusable);
}

}  // namespace
}  // namespace dns
