#include "dns/srv.h"

#include <map>
#include <optional>

#include <gtest/gtest.h>

#include "tests/sim/sim_world.h"
#include "tests/unit/dns/scripted_resolver.h"

namespace dns {
namespace {

using std::chrono::seconds;
using Strings = std::vector<std::string>;

const std::string kService = "_submissions._tcp.example.org";

core::Task<void> store(Resolver& resolver, std::string service,
                       std::optional<ServiceResult>& result) {
    result = co_await resolve_service(resolver, std::move(service));
}

class SrvTest : public testing::Test {
  protected:
    ServiceResult resolve(const std::string& service = kService) {
        std::optional<ServiceResult> result;
        EXPECT_TRUE(world_.run(world_.shard(), store(dns_, service, result)));
        return *result;
    }
    void records(std::vector<SrvData> list, const std::string& name = kService) {
        DnsAnswer& answer = dns_.set(name, RecordType::srv, DnsStatus::ok, 120);
        for (SrvData& data : list)
            answer.records.push_back({name, RecordType::srv, 120, std::move(data)});
    }
    // So often is each host the first.
    std::map<std::string, int> first_of(const ServicePlan& plan, int times) {
        std::map<std::string, int> first;
        for (int i = 0; i < times; ++i)
            ++first[service_order(plan, world_.prng()).front().host];
        return first;
    }

    sim::SimWorld world_{3};
    ScriptedResolver dns_{world_.shard()};
};

TEST_F(SrvTest, sorts_by_priority) {
    records(
        {{20, 1, 465, "backup.example"}, {10, 5, 465, "a.example"}, {10, 0, 4650, "b.example"}});
    dns_.at(kService, RecordType::srv).authenticated = true;
    const ServiceResult plan = resolve();
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->ttl, seconds{120});
    EXPECT_TRUE(plan->authenticated);
    ASSERT_EQ(plan->hosts.size(), 3U);
    EXPECT_EQ(plan->hosts[0], (ServiceHost{"a.example", 465, 10, 5}));
    EXPECT_EQ(plan->hosts[1], (ServiceHost{"b.example", 4650, 10, 0}));
    EXPECT_EQ(plan->hosts[2], (ServiceHost{"backup.example", 465, 20, 1}));
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(service_order(*plan, world_.prng()).back().host, "backup.example");
    EXPECT_EQ(dns_.asked, Strings{kService + " SRV"});
}

// RFC 2782: in proportion to the weights; 0 hardly ever beside others.
TEST_F(SrvTest, draws_by_weight) {
    records({{0, 60, 1, "heavy.example"},
             {0, 30, 1, "half.example"},
             {0, 9, 1, "light.example"},
             {0, 0, 1, "none.example"}});
    auto first = first_of(*resolve(), 2000);
    EXPECT_NEAR(first["heavy.example"], 1200, 120);
    EXPECT_NEAR(first["half.example"], 600, 120);
    EXPECT_NEAR(first["light.example"], 180, 80);
    EXPECT_LT(first["none.example"], 60);
}

TEST_F(SrvTest, equals_share) {
    for (const std::uint16_t weight : std::initializer_list<std::uint16_t>{0, 7}) {
        records({{0, weight, 1, "a.example"},
                 {0, weight, 1, "b.example"},
                 {0, weight, 1, "c.example"}});
        const auto first = first_of(*resolve(), 900);
        ASSERT_EQ(first.size(), 3U);
        for (const auto& [host, times] : first)
            EXPECT_NEAR(times, 300, 100) << host << weight;
    }
}

TEST_F(SrvTest, every_host_has_its_turn_once) {
    records({{0, 1, 1, "a.example"},
             {0, 0, 1, "b.example"},
             {0, 65535, 1, "c.example"},
             {1, 0, 1, "d.example"}});
    const ServiceResult plan = resolve();
    for (int i = 0; i < 50; ++i) {
        Strings hosts;
        for (const ServiceHost& one : service_order(*plan, world_.prng()))
            hosts.push_back(one.host);
        std::ranges::sort(hosts);
        EXPECT_EQ(hosts, (Strings{"a.example", "b.example", "c.example", "d.example"}));
    }
}

// What the operator named is missing: mail waits for it, whatever DNS says.
TEST_F(SrvTest, a_service_that_is_not_there_is_never_permanent) {
    records({{0, 0, 0, "."}}, "_off._tcp.example.org");
    records({{0, 0, 25, "192.0.2.1"}, {0, 0, 0, "mx.example"}}, "_odd._tcp.example.org");
    dns_.set("_empty._tcp.example.org", RecordType::srv, DnsStatus::nodata);
    for (const char* service : {"_off._tcp.example.org", "_odd._tcp.example.org",
                                "_empty._tcp.example.org", "_none._tcp.example.org"}) {
        const ServiceResult plan = resolve(service);
        ASSERT_FALSE(plan) << service;
        EXPECT_EQ(plan.error().kind, FailureKind::no_service) << service;
        EXPECT_FALSE(plan.error().permanent());
        EXPECT_EQ(codes_of(plan.error().kind).reply, 451);
        EXPECT_EQ(codes_of(plan.error().kind).detail, 4);
    }
    dns_.set("_broken._tcp.example.org", RecordType::srv, DnsStatus::servfail, 5);
    const ServiceResult broken = resolve("_broken._tcp.example.org");
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().kind, FailureKind::temporary);
    EXPECT_NE(broken.error().text.find("SRV lookup"), std::string::npos);
    for (const std::string& asked : dns_.asked)
        EXPECT_TRUE(asked.ends_with(" SRV")) << asked;  // and no address of the domain instead
}

TEST_F(SrvTest, follows_aliases_and_is_bounded) {
    dns_.alias("_alias._tcp.example.org", kService, RecordType::srv);
    std::vector<SrvData> many;
    for (int i = 0; i < 300; ++i) {
        many.push_back(
            {static_cast<std::uint16_t>(300 - i), 0, 25, "h" + std::to_string(i) + ".example"});
    }
    records(many);
    const ServiceResult plan = resolve("_alias._tcp.example.org");
    ASSERT_TRUE(plan);
    ASSERT_EQ(plan->hosts.size(), kMaxServiceHosts);
    EXPECT_EQ(plan->hosts.front().host, "h299.example");
    EXPECT_EQ(plan->hosts.back().host, "h200.example");
}

TEST(ServiceDomain, is_what_follows_two_labels) {
    EXPECT_EQ(service_domain("_submissions._tcp.example.org"), "example.org");
    EXPECT_EQ(service_domain("_a._tcp"), "");
}

}  // namespace
}  // namespace dns
