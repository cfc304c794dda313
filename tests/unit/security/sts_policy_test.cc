#include "relay/security/sts_policy.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

using std::chrono::seconds;
using Strings = std::vector<std::string>;

// RFC 8461 section 3.2, and appendix A.
const std::string kExample =
    "version: STSv1\r\n"
    "mode: enforce\r\n"
    "mx: mail.example.com\r\n"
    "mx: *.example.net\r\n"
    "mx: backupmx.example.com\r\n"
    "max_age: 604800\r\n";

TEST(StsPolicy, the_example_of_the_rfc) {
    const auto policy = parse_sts_policy(kExample);
    ASSERT_TRUE(policy) << policy.error();
    EXPECT_EQ(policy->mode, StsMode::enforce);
    EXPECT_EQ(policy->max_age, seconds{604800});
    EXPECT_EQ(policy->mx, (Strings{"mail.example.com", "*.example.net", "backupmx.example.com"}));
}

TEST(StsPolicy, how_it_is_written_does_not_matter) {
    std::string unix_lines = kExample;
    std::erase(unix_lines, '\r');
    EXPECT_EQ(parse_sts_policy(unix_lines), parse_sts_policy(kExample));
    for (const char* text :
         {"max_age:604800\nmode:enforce\nversion:STSv1\nmx:MX.Example.com.",
          "version: STSv1  \nmode:\tenforce\t\n\nmx: mx.example.com\nmax_age: 604800\n\n\n",
          "version: STSv1\nx-new.thing_1: any: thing\nmode: enforce\nmx: mx.example.com\n"
          "max_age: 0000604800\nempty:\n"}) {
        const auto policy = parse_sts_policy(text);
        ASSERT_TRUE(policy) << text << policy.error();
        EXPECT_EQ(*policy, (StsPolicy{StsMode::enforce, seconds{604800}, {"mx.example.com"}}));
    }
}

// Section 3.2: of what may come once, the first counts.
TEST(StsPolicy, the_first_of_each_key_counts) {
    const auto policy = parse_sts_policy(
        "version: STSv1\nmode: testing\nmode: enforce\nmx: a.example\nmax_age: 100\n"
        "max_age: nonsense\nversion: STSv2\n");
    ASSERT_TRUE(policy) << policy.error();
    EXPECT_EQ(*policy, (StsPolicy{StsMode::testing, seconds{100}, {"a.example"}}));
}

TEST(StsPolicy, a_mode_of_none_needs_no_host) {
    const auto policy = parse_sts_policy("version: STSv1\nmode: none\nmax_age: 86400\n");
    ASSERT_TRUE(policy) << policy.error();
    EXPECT_EQ(policy->mode, StsMode::none);
}

TEST(StsPolicy, max_age_is_held_to_a_year) {
    const std::string start = "version: STSv1\nmode: none\nmax_age: ";
    EXPECT_EQ(parse_sts_policy(start + "31557600")->max_age, StsPolicy::kLongest);
    EXPECT_EQ(parse_sts_policy(start + "9999999999")->max_age, StsPolicy::kLongest);
    EXPECT_EQ(parse_sts_policy(start + "0")->max_age, seconds{0});
}

TEST(StsPolicy, what_is_wrong_makes_all_of_it_invalid) {
    const std::string rest = "mx: a.example\nmax_age: 100\n";
    for (const std::string& text :
         Strings{"",
                 "mode: enforce\n" + rest,                             // no version
                 "version: STSv1\n" + rest,                            // no mode
                 "version: STSv1\nmode: enforce\nmx: a.example\n",     // no max_age
                 "version: STSv1\nmode: enforce\nmax_age: 100\n",      // no mx
                 "version: STSv1\nmode: testing\nmax_age: 100\n",      // no mx
                 "version: STSv2\nmode: enforce\n" + rest,             // another version
                 "version: stsv1\nmode: enforce\n" + rest,             // in another case
                 "version: STSv1\nmode: Enforce\n" + rest,             //
                 "version: STSv1\nmode: report\n" + rest,              // of a draft
                 "version STSv1\nmode: enforce\n" + rest,              // no colon
                 "version: STSv1\nmode: enforce\n: nothing\n" + rest,  // no key
                 "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1 day\n",
                 "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: -1\n",
                 "version: STSv1\nmode: enforce\nmx: a.example\nmax_age:\n",
                 "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 12345678901\n",
                 "version: STSv1\nmode: enforce\nmx: .example.com\n" + rest,  // of a draft
                 "version: STSv1\nmode: enforce\nmx: a.*.example\n" + rest,
                 "version: STSv1\nmode: enforce\nmx: *\n" + rest,
                 "version: STSv1\nmode: enforce\nmx: *.\n" + rest,
                 "version: STSv1\nmode: enforce\nmx:\n" + rest,
                 "version: STSv1\nmode: enforce\nmx: a..example\n" + rest,
                 "version: STSv1\nmode: enforce\nmx: b\xc3\xbc"
                 "cher.example\n" +
                     rest,  // no A-label
                 "version: STSv1\nmode: enforce\nmx: a.example, b.example\n" + rest,
                 "version: STSv1\nmode: enforce\nmx: " + std::string(64, 'a') + ".example\n" + rest,
                 "<html>\n<body>\n"}) {
        EXPECT_FALSE(parse_sts_policy(text)) << text;
    }
}

TEST(StsPolicy, long_files_and_many_hosts) {
    std::string many = "version: STSv1\nmode: enforce\nmax_age: 100\n";
    for (std::size_t i = 0; i < StsPolicy::kMostPatterns; ++i)
        many += "mx: mx" + std::to_string(i) + ".example\n";
    EXPECT_TRUE(parse_sts_policy(many));
    EXPECT_FALSE(parse_sts_policy(many + "mx: one.more.example\n"));
    const std::string most = kExample + std::string(StsPolicy::kMostOctets - kExample.size(), '\n');
    EXPECT_TRUE(parse_sts_policy(most));
    EXPECT_FALSE(parse_sts_policy(most + "\n"));
}

// Section 4.1: a "*" is the whole leftmost label, and one label only.
TEST(StsPolicy, which_hosts_it_allows) {
    const StsPolicy policy{StsMode::enforce, seconds{100}, {"mx.example.com", "*.example.net"}};
    for (const char* host : {"mx.example.com", "MX.Example.COM", "a.example.net", "b.Example.Net"})
        EXPECT_TRUE(policy.allows(host)) << host;
    for (const char* host :
         {"example.com", "a.mx.example.com", "mx.example.com.evil.example", "example.net",
          "a.b.example.net", ".example.net", "aexample.net", "", "net", "*.example.com"})
        EXPECT_FALSE(policy.allows(host)) << host;
}

// Section 3.1.
TEST(StsRecord, ids_that_are_announced) {
    EXPECT_EQ(sts_id(Strings{"v=STSv1; id=20160831085700Z;"}), "20160831085700Z");
    EXPECT_EQ(sts_id(Strings{"v=STSv1;id=a"}), "a");
    EXPECT_EQ(sts_id(Strings{"v=STSv1 ;\tid=a ; "}), "a");
    EXPECT_EQ(sts_id(Strings{"v=STSv1; ext=1; id=" + std::string(32, 'x') + "; other=."}),
              std::string(32, 'x'));
    EXPECT_EQ(sts_id(Strings{"v=spf1 -all", "v=STSv1; id=a;", "v=STSv10; id=b"}), "a");
    EXPECT_EQ(sts_id(Strings{"v=STSv1; id=a; id=b;"}), "a");
}

TEST(StsRecord, what_announces_nothing) {
    for (const Strings& records :
         std::vector<Strings>{{},
                              {"v=spf1 -all"},
                              {"v=STSv1; id=a;", "v=STSv1; id=b;"},  // not exactly one
                              {"v=STSv1"},
                              {"v=STSv1;"},
                              {"v=STSv1; ext=1;"},  // no id
                              {"v=STSv1; id=;"},
                              {"v=STSv1; id=a-b;"},
                              {"v=STSv1; id=" + std::string(33, 'x')},
                              {"v=STSv1; id=a;;"},
                              {"v=STSv1; id = a;"},
                              {"v=STSv1; id=a; nonsense"},
                              {"v=STSv1; id=a; b=c=d"},
                              {" v=STSv1; id=a;"},
                              {"V=STSv1; id=a;"},
                              {"v=stsv1; id=a;"},
                              {"id=a; v=STSv1;"},
                              {"v=STSv1; id=b\xc3\xbc;"}}) {
        EXPECT_FALSE(sts_id(records)) << (records.empty() ? "none" : records.front());
    }
}

}  // namespace
}  // namespace relay
