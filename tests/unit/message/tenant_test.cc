#include "relay/message/tenant.h"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(TenantTable, a_name_has_one_number_and_keeps_it) {
    TenantTable table;
    const Tenant& acme = table.intern("acme");
    const Tenant& other = table.intern("other");
    EXPECT_NE(acme.id, other.id);
    EXPECT_EQ(&table.intern("acme"), &acme);
    EXPECT_EQ(acme.name, "acme");
    EXPECT_EQ(table.find(acme.id), &acme);
    EXPECT_EQ(table.find(other.id), &other);
    EXPECT_EQ(table.size(), 2U);
}

TEST(TenantTable, no_name_is_nobody) {
    TenantTable table;
    EXPECT_EQ(&table.intern(""), &kNoTenant);
    EXPECT_EQ(table.find(TenantId::none), &kNoTenant);
    EXPECT_EQ(table.find(TenantId{1}), nullptr);
    EXPECT_EQ(table.size(), 0U);
}

TEST(TenantTable, mail_of_tenants_beyond_the_limit_is_nobodys) {
    TenantTable table(2);
    const Tenant& first = table.intern("first");
    table.intern("second");
    EXPECT_EQ(&table.intern("third"), &kNoTenant);
    EXPECT_EQ(&table.intern("first"), &first);
    EXPECT_EQ(table.size(), 2U);
}

TEST(TenantTable, shards_agree_on_numbers) {
    TenantTable table;
    constexpr int kTenants = 1000;
    std::vector<std::vector<const Tenant*>> seen(4);
    {
        std::vector<std::jthread> threads;
        for (std::vector<const Tenant*>& mine : seen) {
            threads.emplace_back([&table, &mine] {
                for (int i = 0; i < kTenants; ++i)
                    mine.push_back(&table.intern("tenant " + std::to_string(i)));
            });
        }
    }
    for (const std::vector<const Tenant*>& each : seen)
        EXPECT_EQ(each, seen.front());
    EXPECT_EQ(table.size(), std::size_t{kTenants});
}

}  // namespace
}  // namespace relay
