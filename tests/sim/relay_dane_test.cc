// The whole relay towards domains that publish TLSA records (RFC 7672), in a zone that is signed,
// half signed or broken.
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/tls_scene.h"

namespace sim {
namespace {

using core::test::association;
using core::test::Authority;
using dns::DnsStatus;
using dns::RecordType;
using dns::TlsaData;
using metrics::TlsResult;
using relay::TlsPolicy;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const core::TlsIdentity& own_made() {
    static const core::TlsIdentity made = Authority::self_signed({.names = {"elsewhere.example"}});
    return made;
}

TlsaData leaf_key(const core::TlsIdentity& identity) {
    return {3, 1, 1, association(identity, 0, 1, 1)};
}

TlsaData wrong_digest() {
    return {3, 1, 1, std::string(32, 'w')};
}

// A signed one.example; its host has a certificate that nobody signed, for another name.
class DaneScene : public TlsScene {
  public:
    explicit DaneScene(std::vector<TlsaData> records, TlsPolicy policy = TlsPolicy::opportunistic,
                       MxOptions options = {}, const core::TlsIdentity& shows = own_made())
        : TlsScene(policy, std::move(options), &shows) {
        zone.is_signed = true;
        for (TlsaData& record : records)
            zone.add_tlsa("mx.one.example", 25, std::move(record));
    }
    std::uint64_t by_dane(TlsResult result) {
        return relay->metrics()
            .destination(0)
            .tls_sessions[static_cast<std::size_t>(metrics::TlsPolicy::dane)]
                         [static_cast<std::size_t>(result)]
            .value();
    }
    std::size_t tlsa_questions(const std::string& host = "mx.one.example") {
        const auto found = zone.asked.find({"_25._tcp." + host, RecordType::tlsa});
        return found == zone.asked.end() ? 0 : found->second;
    }
    // Everything goes to the second host, and nothing to the first.
    void expect_second_takes_all(int messages) {
        inject(messages);
        EXPECT_TRUE(relay->run_until_drained(hours{1}));
        expect_clean();
        EXPECT_TRUE(mx.ledger().empty());
        EXPECT_EQ(second->ledger().size(), static_cast<std::size_t>(messages));
        EXPECT_EQ(relay->count("TransientFailure"), 0U);
    }
    void expect_deferred_for(const std::string& why) {
        inject(1);
        world.run_for(minutes{15});
        EXPECT_TRUE(mx.ledger().empty());
        EXPECT_GE(relay->count("TransientFailure"), 1U);
        EXPECT_EQ(relay->count("Bounce"), 0U);
        for (const Recorded& one : relay->events()) {
            if (one.type != "TransientFailure") continue;
            EXPECT_NE(one.line.find(why), std::string::npos) << one.line;
        }
    }
};

TEST(RelayDane, a_table_may_say_that_records_are_not_looked_for) {
    DaneScene scene({wrong_digest()});
    scene.relay->reload("[\"one.example\"]\nenable_dane = false\n");
    scene.expect_delivered(2, true);
    EXPECT_EQ(scene.tlsa_questions(), 0U);
}

TEST(RelayDane, a_record_that_matches_takes_the_place_of_all_authorities) {
    for (const TlsPolicy policy :
         {TlsPolicy::opportunistic, TlsPolicy::encrypt, TlsPolicy::verify}) {
        DaneScene scene({wrong_digest(), leaf_key(own_made())}, policy);
        scene.expect_delivered(10, true);
        EXPECT_GE(scene.by_dane(TlsResult::verified), 1U);
        EXPECT_EQ(scene.counted(policy, TlsResult::verified), 0U);
    }
}

TEST(RelayDane, a_certificate_that_does_not_match_gets_no_mail_in_whatever_form) {
    DaneScene scene({wrong_digest()}, TlsPolicy::opportunistic, {}, good());
    scene.expect_deferred("TLSA");
    EXPECT_GE(scene.by_dane(TlsResult::untrusted), 1U);
    EXPECT_EQ(scene.mx.encrypted_sessions(), 0U);
}

TEST(RelayDane, starttls_that_is_missing_or_broken_is_no_reason_for_clear_text) {
    {
        DaneScene scene({leaf_key(own_made())}, TlsPolicy::opportunistic,
                        {.handshake = Handshake::garbage});
        scene.expect_deferred("TLS");
    }
    {
        DaneScene scene({leaf_key(own_made())});
        scene.mx.options().tls = nullptr;
        scene.expect_deferred("STARTTLS");
    }
    DaneScene unusable({{0, 1, 1, std::string(32, 'x')}});
    unusable.mx.options().tls = nullptr;
    unusable.expect_deferred("STARTTLS");
}

// Section 2.2: TLS is a must then, and who is there does not matter.
TEST(RelayDane, records_none_of_which_is_usable_demand_tls_only) {
    DaneScene scene({{0, 1, 1, std::string(32, 'x')}, {3, 1, 9, "new"}, {3, 1, 0, "no key"}});
    scene.expect_delivered(3, true);
    EXPECT_GE(scene.by_dane(TlsResult::unverified), 1U);
}

TEST(RelayDane, unusable_records_take_nothing_from_verify) {
    for (const TlsaData& record : {TlsaData{1, 1, 1, std::string(32, 'x')}, {3, 1, 0, "no key"}}) {
        DaneScene scene({record}, TlsPolicy::verify);
        scene.expect_deferred("self-signed");
    }
}

TEST(RelayDane, a_trust_anchor_needs_a_chain_and_the_hosts_name) {
    const core::TlsIdentity identity = good();
    const TlsaData anchor{2, 0, 1, association(identity, 1, 0, 1)};
    {
        DaneScene scene({anchor}, TlsPolicy::opportunistic, {}, identity);
        scene.expect_delivered(3, true);
        EXPECT_GE(scene.by_dane(TlsResult::verified), 1U);
    }
    const core::TlsIdentity other = authority().issue({.names = {"mx.two.example"}});
    DaneScene scene({anchor}, TlsPolicy::opportunistic, {}, other);
    scene.expect_deferred("mismatch");
}

// D02: not even over TLS of another kind.
TEST(RelayDane, a_failed_tlsa_lookup_makes_the_host_unreachable) {
    for (const DnsStatus status : {DnsStatus::servfail, DnsStatus::timeout}) {
        DaneScene scene({}, TlsPolicy::opportunistic, {}, good());
        scene.zone.fail("_25._tcp.mx.one.example", RecordType::tlsa, status);
        scene.expect_deferred_for("TLSA lookup for _25._tcp.mx.one.example failed");
        EXPECT_EQ(scene.mx.sessions(), 0U);
        scene.zone.heal("_25._tcp.mx.one.example", RecordType::tlsa);
        scene.expect_delivered(1, true);
    }
}

TEST(RelayDane, the_next_host_is_tried_in_the_order_of_mx) {
    const auto context = server(own_made());
    {
        DaneScene scene({wrong_digest()});
        scene.add_second({.name = "mx2", .tls = context.get()});
        scene.expect_second_takes_all(5);  // which has no records: opportunistic
        EXPECT_GE(scene.counted(TlsPolicy::opportunistic, TlsResult::unverified), 1U);
    }
    DaneScene scene({});
    scene.zone.fail("_25._tcp.mx.one.example", RecordType::tlsa, DnsStatus::servfail);
    scene.add_second({.name = "mx2", .tls = context.get()});
    scene.zone.add_tlsa("mx2.one.example", 25, leaf_key(own_made()));
    scene.expect_second_takes_all(5);
    EXPECT_GE(scene.by_dane(TlsResult::verified), 1U);
    EXPECT_EQ(scene.mx.sessions(), 0U);
}

// D03: preference beats records.
TEST(RelayDane, a_better_preference_comes_before_a_host_with_records) {
    const auto context = server(own_made());
    DaneScene scene({});
    scene.add_second({.name = "mx2", .tls = context.get()});
    scene.zone.add_tlsa("mx2.one.example", 25, leaf_key(own_made()));
    scene.expect_delivered(3, true);
    EXPECT_EQ(scene.mx.ledger().size(), 3U);
}

TEST(RelayDane, without_dnssec_nothing_is_asked_and_all_is_opportunistic) {
    {
        DaneScene scene({wrong_digest()});
        scene.zone.is_signed = false;
        scene.expect_delivered(3, true);
        EXPECT_EQ(scene.tlsa_questions(), 0U);
    }
    {
        DaneScene scene({wrong_digest()});
        scene.zone.unsigned_names = {"one.example"};  // the MX records
        scene.expect_delivered(3, true);
        EXPECT_EQ(scene.tlsa_questions(), 0U);
    }
    {
        DaneScene scene({wrong_digest()});
        scene.zone.unsigned_names = {"mx.one.example"};  // the addresses
        scene.expect_delivered(3, true);
        EXPECT_EQ(scene.tlsa_questions(), 0U);
    }
    DaneScene scene({wrong_digest()});
    scene.zone.unsigned_names = {"_25._tcp.mx.one.example"};
    scene.expect_delivered(3, true);
    EXPECT_GE(scene.tlsa_questions(), 1U);
}

TEST(RelayDane, a_policy_of_none_does_not_ask) {
    DaneScene scene({wrong_digest()}, TlsPolicy::none);
    scene.expect_delivered(2, false);
    EXPECT_EQ(scene.tlsa_questions(), 0U);
}

// One MX set, one domain signed and one not: the unsigned one never lends its connection.
TEST(RelayDane, domains_with_and_without_dnssec_share_no_connection) {
    DaneScene scene({wrong_digest()});
    scene.zone.add_mx("two.example", 10, "mx.one.example");
    scene.zone.unsigned_names = {"two.example"};
    scene.relay->inject(0, {"a@two.example"});
    scene.relay->inject(0, {"a@one.example"});
    scene.relay->inject(0, {"b@two.example"});
    scene.world.run_for(minutes{10});
    ASSERT_EQ(scene.mx.ledger().size(), 2U);
    for (const Taken& taken : scene.mx.ledger())
        EXPECT_TRUE(taken.recipient.ends_with("@two.example"));
    for (const Recorded& one : scene.relay->events_of("a@one.example"))
        EXPECT_TRUE(one.type == "Reception" || one.type == "TransientFailure") << one.line;
}

// Keys roll over: what was published last counts for the next connection.
TEST(RelayDane, new_records_are_used_and_a_session_is_not_resumed_across_them) {
    DaneScene scene({leaf_key(own_made())});
    scene.expect_delivered(1, true);
    scene.world.run_for(minutes{5});
    scene.expect_delivered(1, true);
    EXPECT_EQ(scene.mx.resumed_sessions(), 1U);
    scene.world.run_for(minutes{5});
    auto& records = scene.zone.names["_25._tcp.mx.one.example"][RecordType::tlsa].records;
    records.front().data = wrong_digest();
    scene.inject(1);
    scene.world.run_for(minutes{2});
    EXPECT_EQ(scene.mx.ledger().size(), 2U);
    EXPECT_EQ(scene.mx.resumed_sessions(), 1U);
    records.front().data = leaf_key(own_made());
    EXPECT_TRUE(scene.relay->run_until_drained(hours{1}));
}

// A [[route]] names its host itself: no MX answer is needed to trust the way there.
TEST(RelayDane, a_route_to_a_name_is_held_to_its_records) {
    relay::RouteConfig route;
    route.domain = "*";
    route.hosts = {{"mx.one.example", 25, std::nullopt}};
    for (const bool matches : {true, false}) {
        TlsScene scene(TlsPolicy::opportunistic, {}, &own_made(), {route});
        scene.zone.is_signed = true;
        scene.zone.add_tlsa("mx.one.example", 25, matches ? leaf_key(own_made()) : wrong_digest());
        if (matches) {
            scene.expect_delivered(3, true);
        } else {
            scene.expect_deferred("TLSA");
        }
    }
}

}  // namespace
}  // namespace sim
