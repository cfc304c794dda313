#include "dns/tlsa.h"

#include <optional>

#include <gtest/gtest.h>

#include "tests/sim/sim_world.h"
#include "tests/unit/dns/scripted_resolver.h"

namespace dns {
namespace {

const std::string kDigest(32, 'd');
const TlsaData kUsable{3, 1, 1, kDigest};

core::Task<void> store(Resolver& resolver, std::string host, std::optional<AddressResult>& found,
                       std::optional<TlsaResult>& result) {
    const RoutingRules rules;
    found = co_await resolve_addresses(resolver, std::move(host), rules);
    if (*found) result = co_await resolve_tlsa(resolver, **found, 25);
}

class TlsaTest : public testing::Test {
  protected:
    // From the host's name to its records, as a connection does it.
    TlsaResult resolve(const std::string& host = "mx.example") {
        dns_.asked.clear();
        std::optional<AddressResult> addresses;
        std::optional<TlsaResult> result;
        EXPECT_TRUE(world_.run(world_.shard(), store(dns_, host, addresses, result)));
        return *result;
    }
    void address(const std::string& name, bool authenticated) {
        dns_.addresses(name, {"192.0.2.1"});
        dns_.set(name, RecordType::aaaa, DnsStatus::nodata).authenticated = authenticated;
        dns_.at(name, RecordType::a).authenticated = authenticated;
    }
    void records(const std::string& name, bool authenticated,
                 std::vector<TlsaData> list = {kUsable}) {
        DnsAnswer& answer = dns_.set(name, RecordType::tlsa, DnsStatus::ok);
        answer.authenticated = authenticated;
        for (TlsaData& data : list)
            answer.records.push_back({name, RecordType::tlsa, 300, std::move(data)});
    }
    // `name` is an alias of `target`: what a resolver answers to each of the questions.
    void alias(const std::string& name, const std::string& target, bool whole, bool first) {
        for (const RecordType type : {RecordType::a, RecordType::aaaa}) {
            DnsAnswer answer = dns_.at(target, type);
            answer.authenticated = whole;
            dns_.set(name, type, answer.status) = answer;
        }
        dns_.set(name, RecordType::cname, DnsStatus::ok).authenticated = first;
        dns_.at(name, RecordType::cname)
            .records.push_back({name, RecordType::cname, 300, CnameData{target}});
    }
    bool asked_for_tlsa() const {
        return std::ranges::any_of(dns_.asked,
                                   [](const std::string& one) { return one.ends_with("TLSA"); });
    }

    sim::SimWorld world_{1};
    ScriptedResolver dns_{world_.shard()};
};

TEST_F(TlsaTest, authenticated_records_of_an_authenticated_host) {
    address("mx.example", true);
    records("_25._tcp.mx.example", true, {kUsable, {2, 0, 2, std::string(64, 'x')}});
    const TlsaResult found = resolve();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->base, "mx.example");
    ASSERT_EQ(found->records.size(), 2U);
    EXPECT_EQ(found->records[0], kUsable);
    EXPECT_TRUE(found->exists() && found->usable());
}

// RFC 7672 section 2.2.2: name servers without DNSSEC may choke on TLSA.
TEST_F(TlsaTest, no_question_where_addresses_are_not_authenticated) {
    address("mx.example", false);
    records("_25._tcp.mx.example", true);
    ASSERT_TRUE(resolve());
    EXPECT_FALSE(resolve()->exists());
    EXPECT_FALSE(asked_for_tlsa());
}

TEST_F(TlsaTest, records_that_are_not_authenticated_are_none) {
    address("mx.example", true);
    records("_25._tcp.mx.example", false);
    ASSERT_TRUE(resolve());
    EXPECT_FALSE(resolve()->exists());
    EXPECT_TRUE(asked_for_tlsa());
}

TEST_F(TlsaTest, no_records_is_no_failure) {
    address("mx.example", true);
    ASSERT_TRUE(resolve());
    EXPECT_FALSE(resolve()->exists());
}

TEST_F(TlsaTest, a_failed_lookup_is_a_failure_and_never_insecure) {
    for (const DnsStatus status : {DnsStatus::servfail, DnsStatus::timeout}) {
        address("mx.example", true);
        dns_.set("_25._tcp.mx.example", RecordType::tlsa, status);
        const TlsaResult found = resolve();
        ASSERT_FALSE(found);
        EXPECT_EQ(found.error().kind, FailureKind::temporary);
        EXPECT_EQ(codes_of(found.error().kind).reply, 451);
        EXPECT_NE(found.error().text.find("TLSA lookup for _25._tcp.mx.example"),
                  std::string::npos);
    }
}

// Else it were enough to break the AAAA lookup to be rid of DANE.
TEST_F(TlsaTest, a_failed_address_lookup_takes_nothing_from_the_other) {
    address("mx.example", true);
    dns_.set("mx.example", RecordType::aaaa, DnsStatus::servfail);
    records("_25._tcp.mx.example", true);
    ASSERT_TRUE(resolve());
    EXPECT_TRUE(resolve()->exists());
    dns_.set("mx.example", RecordType::aaaa, DnsStatus::nodata);  // not authenticated
    EXPECT_FALSE(resolve()->exists());
}

TEST_F(TlsaTest, an_alias_is_asked_at_its_end_first_then_by_its_own_name) {
    address("real.example", true);
    alias("mx.example", "real.example", true, true);
    records("_25._tcp.mx.example", true, {{3, 1, 1, std::string(32, 'a')}});
    ASSERT_TRUE(resolve());
    EXPECT_EQ(resolve()->base, "mx.example");
    records("_25._tcp.real.example", false);  // not to be trusted: still the alias' own
    EXPECT_EQ(resolve()->base, "mx.example");
    records("_25._tcp.real.example", true);
    EXPECT_EQ(resolve()->base, "real.example");
    dns_.set("_25._tcp.real.example", RecordType::tlsa, DnsStatus::servfail);
    EXPECT_FALSE(resolve());
}

TEST_F(TlsaTest, an_alias_that_ends_without_dnssec_is_asked_by_its_own_name_only) {
    address("real.example", false);
    alias("mx.example", "real.example", false, true);
    records("_25._tcp.mx.example", true);
    records("_25._tcp.real.example", true);
    ASSERT_TRUE(resolve());
    EXPECT_EQ(resolve()->base, "mx.example");
    alias("mx.example", "real.example", false, false);
    EXPECT_FALSE(resolve()->exists());
    EXPECT_FALSE(asked_for_tlsa());
    dns_.set("mx.example", RecordType::cname, DnsStatus::timeout);
    EXPECT_FALSE(resolve());
}

TEST_F(TlsaTest, records_may_be_elsewhere_by_alias) {
    address("mx.example", true);
    dns_.alias("_25._tcp.mx.example", "tlsa.other.example", RecordType::tlsa);
    dns_.at("_25._tcp.mx.example", RecordType::tlsa).authenticated = true;
    records("tlsa.other.example", true);
    ASSERT_TRUE(resolve());
    EXPECT_TRUE(resolve()->exists());
    EXPECT_EQ(resolve()->base, "mx.example");  // section 2.2.3: the base stays
    records("tlsa.other.example", false);
    EXPECT_FALSE(resolve()->exists());
}

TEST_F(TlsaTest, more_records_than_anybody_has) {
    address("mx.example", true);
    records("_25._tcp.mx.example", true, std::vector<TlsaData>(kMaxTlsaRecords + 1, kUsable));
    EXPECT_EQ(resolve()->records.size(), kMaxTlsaRecords);
}

// RFC 7672 section 3.1.3, RFC 6698 section 2.1.
TEST(TlsaRecord, which_ones_are_usable) {
    EXPECT_TRUE(is_usable({3, 1, 1, kDigest}));
    EXPECT_TRUE(is_usable({2, 0, 2, std::string(64, 'x')}));
    EXPECT_TRUE(is_usable({3, 0, 0, "a certificate"}));
    for (const TlsaData& useless : {TlsaData{0, 1, 1, kDigest},
                                    {1, 1, 1, kDigest},
                                    {4, 1, 1, kDigest},
                                    {255, 1, 1, kDigest},
                                    {3, 2, 1, kDigest},
                                    {3, 1, 3, kDigest},
                                    {3, 1, 1, "short"},
                                    {3, 1, 2, kDigest},
                                    {3, 1, 0, ""}}) {
        EXPECT_FALSE(is_usable(useless));
    }
    EXPECT_FALSE((HostTlsa{"a", {{0, 1, 1, kDigest}}}.usable()));
    EXPECT_TRUE((HostTlsa{"a", {{0, 1, 1, kDigest}, kUsable}}.usable()));
}

}  // namespace
}  // namespace dns
