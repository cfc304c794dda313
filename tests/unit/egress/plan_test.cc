#include "relay/egress/plan.h"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

EgressSource named(const std::string& name, const std::vector<std::string>& addresses = {}) {
    EgressSource source;
    source.name = name;
    for (const std::string& each : addresses)
        source.addresses.push_back(*core::IpAddress::parse(each));
    return source;
}

const auto kAll = [](SourceId) { return true; };

EgressPlan three() {
    return {{named("a"), named("b"), named("c"), named("d")},
            {{"bulk", {{"a", 1, 0}, {"b", 2, 0}, {"c", 5, 0}, {"d", 0, 0}}}},
            nullptr};
}

TEST(EgressPlan, without_sources_there_is_nothing_to_choose) {
    const EgressPlan plan;
    EXPECT_TRUE(plan.is_plain());
    EXPECT_EQ(plan.fallback().members.size(), 1U);
    EXPECT_EQ(plan.fallback().members[0].source, SourceId::any);
    EXPECT_EQ(plan.name_of(SourceId::any), "default");
    EXPECT_EQ(plan.source(SourceId::any), nullptr);
}

TEST(EgressPlan, a_source_of_weight_0_is_never_taken) {
    const EgressPlan plan = three();
    const SourcePool& pool = *plan.pool("bulk");
    EXPECT_EQ(pool.members.size(), 3U);
    EXPECT_FALSE(pool.has(static_cast<SourceId>(4)));
    EXPECT_EQ(plan.name_of(static_cast<SourceId>(4)), "d");
}

TEST(EgressPlan, shares_are_as_the_weights) {
    const EgressPlan plan = three();
    std::map<std::string, double> taken;
    for (std::uint64_t key = 0; key < 80'000; ++key)
        taken[std::string(plan.name_of(choose(*plan.pool("bulk"), key, kAll)->source))] += 1;
    EXPECT_NEAR(taken["a"], 10'000, 500);
    EXPECT_NEAR(taken["b"], 20'000, 500);
    EXPECT_NEAR(taken["c"], 50'000, 500);
}

TEST(EgressPlan, a_source_that_is_out_moves_nobody_elses_mail) {
    const EgressPlan plan = three();
    const SourcePool& pool = *plan.pool("bulk");
    constexpr auto b = static_cast<SourceId>(2);
    std::size_t moved = 0;
    for (std::uint64_t key = 0; key < 1000; ++key) {
        const SourceId before = choose(pool, key, kAll)->source;
        const SourceId after = choose(pool, key, [](SourceId one) { return one != b; })->source;
        EXPECT_NE(after, b);
        if (before != b) {
            EXPECT_EQ(after, before);
        } else {
            ++moved;
        }
    }
    EXPECT_GT(moved, 150U);
    EXPECT_EQ(choose(pool, 1, [](SourceId) { return false; }), nullptr);
}

TEST(EgressPlan, a_reload_keeps_the_numbers_and_forgets_no_name) {
    const EgressPlan first = three();
    const EgressPlan next({named("new"), named("b")}, {{"bulk", {{"b", 1, 0}, {"new", 1, 0}}}},
                          &first);
    EXPECT_EQ(next.name_of(static_cast<SourceId>(1)), "a");
    EXPECT_EQ(next.source(static_cast<SourceId>(1)), nullptr);
    EXPECT_EQ(next.source(static_cast<SourceId>(2))->name, "b");
    EXPECT_EQ(next.source(static_cast<SourceId>(5))->name, "new");
    EXPECT_TRUE(next.pool("bulk")->has(static_cast<SourceId>(5)));
}

TEST(EgressPlan, the_pool_named_default_is_that_of_mail_without_one) {
    const EgressPlan plan({named("a")}, {{"default", {{"a", 1, 0}}}}, nullptr);
    EXPECT_FALSE(plan.is_plain());
    EXPECT_TRUE(plan.fallback().has(static_cast<SourceId>(1)));
}

TEST(EgressSource, reaches_the_families_that_it_has_addresses_of) {
    const core::IpAddress v4 = *core::IpAddress::parse("192.0.2.1");
    const core::IpAddress v6 = *core::IpAddress::parse("2001:db8::1");
    EXPECT_TRUE(named("x").reaches(v6));
    const EgressSource old = named("x", {"192.0.2.9"});
    EXPECT_TRUE(old.reaches(v4));
    EXPECT_FALSE(old.reaches(v6));
    EgressSource by_proxy = old;
    by_proxy.ha_proxy_server = core::SocketAddress{v4, 5000};
    by_proxy.ha_proxy_addresses = {v6};
    EXPECT_TRUE(by_proxy.reaches(v6));
    EXPECT_FALSE(by_proxy.reaches(v4));
    EXPECT_EQ(EgressSource::for_peer(old.addresses, v4), old.addresses[0]);
    EXPECT_EQ(EgressSource::for_peer(old.addresses, v6), std::nullopt);
}

}  // namespace
}  // namespace relay
