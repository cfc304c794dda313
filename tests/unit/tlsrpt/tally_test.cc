#include "relay/tlsrpt/tally.h"

#include <algorithm>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

const TlsTally::Key kKey{20'780, "y.example"};

ReportedPolicy sts() {
    return {TlsPolicyKind::sts, "y.example", {"version: STSv1", "mode: enforce"}, {"*.y.example"}};
}

TlsFailure failure(const std::string& ip, const std::string& reason = "") {
    return {TlsFailureType::certificate_expired, "192.0.2.1", "mx.y.example", ip, reason};
}

TEST(TlsTally, counts_by_day_domain_policy_and_failure) {
    TlsTally tally;
    tally.count(kKey, sts(), std::nullopt, 5);
    tally.count(kKey, sts(), failure("192.0.2.2"));
    tally.count(kKey, sts(), failure("192.0.2.2"), 2);
    tally.count(kKey, sts(), failure("192.0.2.3"));
    tally.count(kKey, {TlsPolicyKind::none, "y.example"}, std::nullopt);
    tally.count({kKey.first + 1, "y.example"}, sts(), std::nullopt);
    ASSERT_EQ(tally.domains().size(), 2U);
    const auto& policies = tally.domains().at(kKey);
    ASSERT_EQ(policies.size(), 2U);
    EXPECT_EQ(policies[0].successes, 5U);
    EXPECT_EQ(policies[0].failures, 4U);
    ASSERT_EQ(policies[0].failed.size(), 2U);
    EXPECT_EQ(policies[0].failed[0].sessions, 3U);
    EXPECT_EQ(policies[1].successes, 1U);
}

TEST(TlsTally, a_day_is_that_of_utc) {
    EXPECT_EQ(utc_day(begin_of(20'780)), 20'780);
    EXPECT_EQ(utc_day(begin_of(20'780) - seconds{1}), 20'779);
    EXPECT_EQ(utc_day(begin_of(20'780) + hours{23}), 20'780);
    EXPECT_EQ(utc_day(core::WallTime{} - seconds{1}), -1);
}

TEST(TlsTally, forgetting_gives_all_its_room_back) {
    TlsTally tally;
    tally.count({1, "a.example"}, sts(), failure("192.0.2.2", "reason"));
    tally.erase({1, "b.example"});
    tally.erase({1, "a.example"});
    EXPECT_TRUE(tally.empty());
    EXPECT_EQ(tally.octets(), 0U);
}

TEST(TlsTally, merging_adds_up) {
    TlsTally one;
    one.count(kKey, sts(), std::nullopt, 5);
    one.count(kKey, sts(), failure("192.0.2.2"));
    TlsTally two;
    two.count(kKey, sts(), std::nullopt, 2);
    two.count(kKey, sts(), failure("192.0.2.2"), 3);
    two.count({1, "a.example"}, sts(), failure("192.0.2.2"), 4);
    one.merge(two);
    EXPECT_EQ(one.domains().at(kKey)[0].successes, 7U);
    EXPECT_EQ(one.domains().at(kKey)[0].failures, 4U);
    EXPECT_EQ((one.domains().at({1, "a.example"})[0].failures), 4U);
}

TEST(TlsTally, further_failures_count_by_their_type_alone) {
    TlsTally tally;
    for (int i = 0; i < 1000; ++i)
        tally.count(kKey, sts(), failure("2001:db8::" + std::to_string(i)));
    const PolicyCounts& counts = tally.domains().at(kKey)[0];
    EXPECT_EQ(counts.failures, 1000U);
    ASSERT_EQ(counts.failed.size(), TlsTally::kMostFailures + 1);
    EXPECT_EQ(counts.failed.back().failure, TlsFailure{TlsFailureType::certificate_expired});
    EXPECT_EQ(counts.failed.back().sessions, 1000 - TlsTally::kMostFailures);
}

TEST(TlsTally, further_policies_and_domains_are_not_counted) {
    TlsTally tally(64 << 10);
    for (int i = 0; i < 20; ++i) {
        ReportedPolicy policy = sts();
        policy.lines.push_back("max_age: " + std::to_string(i));
        tally.count(kKey, policy, std::nullopt);
    }
    EXPECT_EQ(tally.domains().at(kKey).size(), TlsTally::kMostPolicies);
    EXPECT_EQ(tally.dropped(), 4U);
    for (int i = 0; i < 1000; ++i)
        tally.count({1, "d" + std::to_string(i)}, sts(), failure("192.0.2.2"));
    EXPECT_LE(tally.octets(), (64U << 10) + 1000U);
    EXPECT_GT(tally.domains().size(), 20U);
    EXPECT_LT(tally.domains().size(), 200U);
    EXPECT_EQ(tally.dropped(), 4 + 1000 - (tally.domains().size() - 1));
}

TEST(TlsTally, texts_from_outside_become_one_line_of_ascii) {
    TlsTally tally;
    tally.count(kKey, {TlsPolicyKind::none, "y.example"},
                failure("192.0.2.2", "a\tb\r\nc\xff" + std::string(1000, 'x')));
    const std::string& reason = tally.domains().at(kKey)[0].failed[0].failure.reason;
    EXPECT_TRUE(reason.starts_with("a b c?xxx")) << reason;
    EXPECT_EQ(reason.size(), TlsTally::kMostReason);
}

TEST(TlsTally, its_text_is_read_back) {
    TlsTally tally;
    tally.count(kKey, sts(), std::nullopt, 5);
    tally.count(kKey, sts(), failure("192.0.2.2", "a reason"), 3);
    tally.count(kKey, sts(), TlsFailure{TlsFailureType::dnssec_invalid});
    tally.count({1, "a.example"}, {TlsPolicyKind::tlsa, "mx.a.example", {"3 1 1 00"}, {"mx.a"}},
                std::nullopt);
    const std::string text = tally.text();
    TlsTally again;
    again.read(text);
    EXPECT_EQ(again, tally);
    EXPECT_EQ(again.octets(), tally.octets());
    again.read(text);  // adds
    EXPECT_EQ(again.domains().at(kKey)[0].successes, 10U);
    for (std::size_t cut = 0; cut < text.size(); ++cut) {
        TlsTally part;
        part.read(std::string_view(text).substr(0, cut));
        EXPECT_LE(part.domains().size(), 2U);
    }
}

// 8 MiB of counts are no work for one step of a loop: neither to write, nor to read, nor to merge.
TEST(TlsTally, it_is_written_read_and_merged_in_steps) {
    TlsTally tally;
    for (int i = 0; i < 10'000; ++i) {
        const TlsTally::Key key{1 + i % 2, "d" + std::to_string(i) + ".example"};
        tally.count(key, sts(), std::nullopt);
        tally.count(key, sts(), failure("192.0.2.2"), 2);
    }
    std::string text;
    std::optional<TlsTally::Key> last;
    std::size_t steps = 1;
    while (tally.add_text(text, last, 64))
        ++steps;
    EXPECT_EQ(steps, (10'000 + 63) / 64);
    EXPECT_EQ(text, tally.text());

    TlsTally read;
    TlsTallyReader reader(read, text);
    for (steps = 1; reader.advance(64);)
        ++steps;
    const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n'));
    EXPECT_EQ(steps, (lines + 63) / 64);
    EXPECT_EQ(read, tally);

    TlsTally merged;
    for (steps = 1; merged.merge_some(read, 64);)
        ++steps;
    EXPECT_GE(steps, 20'000U / 64);
    EXPECT_EQ(merged, tally);
    EXPECT_EQ(merged.octets(), tally.octets());
    EXPECT_TRUE(read.empty());
    EXPECT_EQ(read.octets(), 0U);
}

// What is counted or forgotten between two steps leaves no gap.
TEST(TlsTally, its_text_goes_on_after_a_domain_that_is_no_more) {
    TlsTally tally;
    for (const char* name : {"a.example", "b.example", "c.example"})
        tally.count({1, name}, sts(), std::nullopt);
    std::string text;
    std::optional<TlsTally::Key> last;
    EXPECT_TRUE(tally.add_text(text, last, 2));
    tally.erase({1, "b.example"});
    EXPECT_FALSE(tally.add_text(text, last, 2));
    TlsTally again;
    again.read(text);
    EXPECT_EQ(again.domains().size(), 3U);
}

TEST(TlsTally, lines_that_make_no_sense_are_passed_over) {
    const std::string header = "posthaste tls-report 1\n";
    for (const char* lines :
         {"succeeded\t5\n", "policy\tx\ty.example\tsts\ty.example\nsucceeded\t5\n",
          "policy\t-1\ty.example\tsts\ty.example\nsucceeded\t5\n",
          "policy\t99999999999\ty.example\tsts\ty.example\nsucceeded\t5\n",
          "policy\t1\t\tsts\ty.example\nsucceeded\t5\n",
          "policy\t1\ty.example\tother\ty.example\nsucceeded\t5\n",
          "policy\t1\ty.example\tsts\ty.example\nsucceeded\t0\nsucceeded\t-1\nsucceeded\n",
          "policy\t1\ty.example\tsts\ty.example\nfailed\t1\tno-such-type\t\t\t\t\n",
          "policy\t1\ty.example\tsts\ty.example\nsucceeded\t99999999999999999999\n"}) {
        TlsTally tally;
        tally.read(header + lines);
        EXPECT_TRUE(tally.empty()) << lines;
    }
    TlsTally other;
    other.read("posthaste tls-report 2\npolicy\t1\ty.example\tsts\ty.example\nsucceeded\t5\n");
    EXPECT_TRUE(other.empty());
}

}  // namespace
}  // namespace relay
