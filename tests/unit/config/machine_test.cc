#include <algorithm>

#include <gtest/gtest.h>
#include <unistd.h>

#include "relay/config/config.h"
#include "relay/config/section.h"

namespace relay {
namespace {

TEST(Machine, memory_is_no_more_than_there_is) {
    const auto machine = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                         static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    const std::uint64_t whole = memory_limit({{0, 100}});
    EXPECT_LE(whole, machine);
    EXPECT_GT(whole, 16U << 20);
    EXPECT_NEAR(static_cast<double>(memory_limit({{0, 50}})), static_cast<double>(whole) / 2, 100);
    EXPECT_EQ(memory_limit({{12345678, 0}}), 12345678U);
}

TEST(Machine, has_a_name) {
    EXPECT_TRUE(is_host_name(machine_hostname(), true));
}

TEST(Machine, has_addresses) {
    const auto addresses = machine_addresses();
    EXPECT_NE(std::ranges::find(addresses, *core::IpAddress::parse("127.0.0.1")), addresses.end());
    EXPECT_TRUE(std::ranges::is_sorted(addresses));
    EXPECT_EQ(std::ranges::adjacent_find(addresses), addresses.end());
}

TEST(HostName, is_what_dns_allows) {
    for (const char* name :
         {"a", "mta1.example.com", "1.example", "xn--bcher-kva.example", "a-b.c"}) {
        EXPECT_TRUE(is_host_name(name)) << name;
    }
    for (const char* name : {"", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "a.b-", "a_b.c", "a b",
                             "a\r\nb", "\xc3\xbc.example", "[127.0.0.1]"}) {
        EXPECT_FALSE(is_host_name(name)) << name;
    }
    EXPECT_TRUE(is_host_name("_smtp.example", true));
    EXPECT_TRUE(is_host_name(std::string(63, 'a')));
    EXPECT_FALSE(is_host_name(std::string(64, 'a')));
    std::string longest;
    for (int i = 0; i < 126; ++i)
        longest += "a.";
    EXPECT_TRUE(is_host_name(longest + "a"));
    EXPECT_FALSE(is_host_name(longest + "ab"));
}

}  // namespace
}  // namespace relay
