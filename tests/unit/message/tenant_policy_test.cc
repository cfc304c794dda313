#include "relay/message/tenant_policy.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(TenantPolicies, a_tenant_without_a_table_has_that_of_default) {
    std::vector<TenantPolicy> tables(2);
    tables[0].name = "acme";
    tables[0].weight = 7;
    tables[1].name = "default";
    tables[1].weight = 3;
    const TenantPolicies policies(tables);
    EXPECT_EQ(policies.of("acme").weight, 7U);
    EXPECT_EQ(policies.of("other").weight, 3U);
    EXPECT_EQ(policies.of("").weight, 3U);
    tables.pop_back();
    EXPECT_EQ(TenantPolicies(tables).of("other").weight, 1U);
    EXPECT_EQ(TenantPolicies::none()->of("acme").weight, 1U);
}

TEST(Priority, has_a_name) {
    for (const Priority priority : {Priority::urgent, Priority::normal, Priority::bulk})
        EXPECT_EQ(priority_named(to_string(priority)), priority);
    EXPECT_FALSE(priority_named("Urgent").has_value());
}

}  // namespace
}  // namespace relay
