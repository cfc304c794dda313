#include "dns/wire/answer.h"

#include <string>

#include <gtest/gtest.h>

#include "dns/wire/message.h"

namespace dns {
namespace {

using std::chrono::seconds;

Record mx(std::string owner, std::uint16_t preference, std::string exchange, std::uint32_t ttl) {
    return {std::move(owner), RecordType::mx, ttl, MxData{preference, std::move(exchange)}};
}
Record alias(std::string owner, std::string target, std::uint32_t ttl) {
    return {std::move(owner), RecordType::cname, ttl, CnameData{std::move(target)}};
}
Record soa(std::uint32_t ttl, std::uint32_t minimum) {
    return {"com", RecordType::soa, ttl, SoaData{minimum}};
}

Message reply(std::vector<Record> answers, std::vector<Record> authority = {},
              std::uint16_t code = 0) {
    Message message;
    message.response = true;
    message.recursion_available = true;
    message.name = "example.com";
    message.type = RecordType::mx;
    message.code = code;
    message.answers = std::move(answers);
    message.authority = std::move(authority);
    return message;
}

TEST(DnsAnswerTest, takes_records_of_the_name_and_the_smallest_ttl) {
    const auto answer = conclude(reply({mx("example.com", 10, "a.example.com", 300),
                                        mx("evil.example.org", 1, "evil.example.org", 1),
                                        mx("example.com", 20, "b.example.com", 120)}),
                                 "Example.com.", RecordType::mx);
    EXPECT_EQ(answer.status, DnsStatus::ok);
    EXPECT_EQ(answer.records.size(), 2U);
    EXPECT_EQ(answer.ttl, seconds{120});
    EXPECT_EQ(answer.canonical_name, "example.com");
}

TEST(DnsAnswerTest, follows_aliases_in_any_order) {
    const auto answer =
        conclude(reply({mx("c.net", 10, "mx.c.net", 900), alias("b.net", "c.net", 50),
                        alias("example.com", "b.net", 70)}),
                 "example.com", RecordType::mx);
    EXPECT_EQ(answer.status, DnsStatus::ok);
    EXPECT_EQ(answer.canonical_name, "c.net");
    EXPECT_EQ(answer.ttl, seconds{50});
}

TEST(DnsAnswerTest, aliases_that_loop_are_a_failure) {
    const auto answer =
        conclude(reply({alias("example.com", "b.net", 50), alias("b.net", "example.com", 50)}),
                 "example.com", RecordType::mx);
    EXPECT_EQ(answer.status, DnsStatus::servfail);
}

TEST(DnsAnswerTest, ten_aliases_are_followed_and_eleven_are_not) {
    for (const int count : {kMaxAliases, kMaxAliases + 1}) {
        std::vector<Record> records{alias("example.com", "n1", 60)};
        for (int i = 1; i < count; ++i) {
            records.push_back(alias("n" + std::to_string(i), "n" + std::to_string(i + 1), 60));
        }
        records.push_back(mx("n" + std::to_string(count), 1, "mx", 60));
        EXPECT_EQ(conclude(reply(records), "example.com", RecordType::mx).status,
                  count == kMaxAliases ? DnsStatus::ok : DnsStatus::servfail);
    }
}

TEST(DnsAnswerTest, an_alias_that_ends_outside_the_answer_is_nodata_with_its_target) {
    const auto answer =
        conclude(reply({alias("example.com", "b.net", 50)}), "example.com", RecordType::mx);
    EXPECT_EQ(answer.status, DnsStatus::nodata);
    EXPECT_EQ(answer.canonical_name, "b.net");
}

TEST(DnsAnswerTest, negative_ttl_is_the_smaller_of_soa_ttl_and_minimum) {
    const auto a = conclude(reply({}, {soa(900, 60)}, 3), "example.com", RecordType::mx);
    EXPECT_EQ(a.status, DnsStatus::nxdomain);
    EXPECT_EQ(a.ttl, seconds{60});
    const auto b = conclude(reply({}, {soa(45, 3600)}), "example.com", RecordType::mx);
    EXPECT_EQ(b.status, DnsStatus::nodata);
    EXPECT_EQ(b.ttl, seconds{45});
    const auto c = conclude(reply({}), "example.com", RecordType::mx);
    EXPECT_EQ(c.status, DnsStatus::nodata);
    EXPECT_EQ(c.ttl, seconds{0});
}

TEST(DnsAnswerTest, a_referral_is_not_the_absence_of_records) {
    const Record ns{"com", RecordType::ns, 60, RawData{"x"}};
    EXPECT_EQ(conclude(reply({}, {ns}), "example.com", RecordType::mx).status, DnsStatus::servfail);
    EXPECT_EQ(conclude(reply({}, {ns, soa(60, 60)}), "example.com", RecordType::mx).status,
              DnsStatus::nodata);
}

// C9: an empty answer of a server that is neither the zone's nor a resolver proves nothing.
TEST(DnsAnswerTest, a_lame_server_cannot_deny_records) {
    for (const std::uint16_t code : {std::uint16_t{0}, std::uint16_t{3}}) {
        Message message = reply({}, {}, code);
        message.recursion_available = false;
        const auto status = [&message] {
            return conclude(message, "example.com", RecordType::mx).status;
        };
        const DnsStatus denied = code == 0 ? DnsStatus::nodata : DnsStatus::nxdomain;
        EXPECT_EQ(status(), DnsStatus::servfail);
        message.authoritative = true;
        EXPECT_EQ(status(), denied);
        message.authoritative = false;
        message.authority = {soa(60, 60)};
        EXPECT_EQ(status(), denied);
    }
}

// C9: whatever else a server says instead of an answer is a failure, to be tried again.
TEST(DnsAnswerTest, every_code_but_two_is_a_failure) {
    for (std::uint16_t code = 1; code < 4096; ++code) {
        if (code == 3) continue;
        EXPECT_EQ(conclude(reply({}, {soa(60, 60)}, code), "example.com", RecordType::mx).status,
                  DnsStatus::servfail);
    }
    Message cut = reply({mx("example.com", 10, "a.example.com", 300)});
    cut.truncated = true;  // by TCP too, or there is no TCP
    EXPECT_EQ(conclude(cut, "example.com", RecordType::mx).status, DnsStatus::servfail);
}

TEST(DnsAnswerTest, what_does_not_belong_to_the_question_is_a_failure) {
    const auto status = [](const Message& message) {
        return conclude(message, "example.com", RecordType::mx).status;
    };
    Message message = reply({mx("example.com", 10, "a.example.com", 300)});
    EXPECT_EQ(status(message), DnsStatus::ok);
    message.name = "example.org";
    EXPECT_EQ(status(message), DnsStatus::servfail);
    message.name = "example.com";
    message.type = RecordType::a;
    EXPECT_EQ(status(message), DnsStatus::servfail);
    message.type = RecordType::mx;
    message.response = false;
    EXPECT_EQ(status(message), DnsStatus::servfail);
    message.response = true;
    message.truncated = true;
    EXPECT_EQ(status(message), DnsStatus::servfail);
    message.truncated = false;
    for (const int code : {1, 2, 4, 5, 16}) {
        message.code = static_cast<std::uint16_t>(code);
        EXPECT_EQ(status(message), DnsStatus::servfail) << code;
    }
}

TEST(DnsAnswerTest, a_name_that_cannot_be_does_not_exist) {
    EXPECT_EQ(conclude(reply({}), "a..b", RecordType::mx).status, DnsStatus::nxdomain);
}

TEST(DnsAnswerTest, carries_the_authenticated_bit) {
    Message message = reply({mx("example.com", 10, "a.example.com", 300)});
    EXPECT_FALSE(conclude(message, "example.com", RecordType::mx).authenticated);
    message.authenticated = true;
    EXPECT_TRUE(conclude(message, "example.com", RecordType::mx).authenticated);
}

}  // namespace
}  // namespace dns
