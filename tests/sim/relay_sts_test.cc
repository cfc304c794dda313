// The whole relay towards domains with an MTA-STS policy (RFC 8461), over days of virtual time,
// with policies that change, vanish and cannot be fetched.
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/tls_scene.h"

namespace sim {
namespace {

using core::test::association;
using core::test::Authority;
using metrics::TlsResult;
using relay::TlsPolicy;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

std::string file(const std::string& mode, const std::string& mx,
                 const std::string& age = "604800") {
    return "version: STSv1\nmode: " + mode + "\nmx: " + mx + "\nmax_age: " + age + "\n";
}

const core::TlsIdentity& unknown_issuer() {
    static const core::TlsIdentity made = Authority::self_signed({.names = {"mx.one.example"}});
    return made;
}

class StsScene : public TlsScene {
  public:
    explicit StsScene(std::string policy, const core::TlsIdentity* shows = nullptr,
                      MxOptions options = {}, TlsPolicy tls = TlsPolicy::opportunistic)
        : TlsScene(tls, std::move(options), shows) {
        zone.ttl = minutes{5};
        announce("20261123T0000");
        if (!policy.empty()) policies.files["one.example"] = std::move(policy);
    }
    void announce(const std::string& id) {
        zone.names.erase("_mta-sts.one.example");
        if (!id.empty()) zone.add_txt("_mta-sts.one.example", "v=STSv1; id=" + id + ";");
    }
    std::uint64_t by_sts(TlsResult result) {
        return relay->metrics()
            .destination(0)
            .tls_sessions[static_cast<std::size_t>(metrics::TlsPolicy::sts)]
                         [static_cast<std::size_t>(result)]
            .value();
    }
    void expect_mail_waits_until(auto change) {
        const std::size_t before = relay->count("Delivery");
        inject(1);
        world.run_for(minutes{15});
        EXPECT_EQ(relay->count("Delivery"), before);
        EXPECT_EQ(relay->count("Bounce"), 0U);
        EXPECT_GE(relay->count("TransientFailure"), 1U);
        change();
        EXPECT_TRUE(relay->run_until_drained(hours{6}));
        EXPECT_EQ(relay->count("Delivery"), before + 1);
    }
};

TEST(RelaySts, enforce_delivers_to_a_host_of_the_policy_whose_certificate_is_good) {
    for (const char* pattern : {"mx.one.example", "*.one.example"}) {
        StsScene scene(file("enforce", pattern));
        scene.expect_delivered(10, true);
        EXPECT_GE(scene.by_sts(TlsResult::verified), 1U);
        EXPECT_EQ(scene.policies.fetches, 1U);
    }
}

// RFC 8461 section 3.1: an address has no policy domain, and nobody is asked for one.
TEST(RelaySts, address_literals_have_no_policy) {
    StsScene scene(file("enforce", "mx.one.example"), &unknown_issuer());
    scene.relay->inject(0, {"u@[" + kMx.ip.to_string() + "]"});
    EXPECT_TRUE(scene.relay->run_until_drained(minutes{5}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 1U);
    EXPECT_EQ(scene.zone.questions, 0U);
    EXPECT_EQ(scene.policies.fetches, 0U);
}

TEST(RelaySts, enforce_keeps_mail_from_a_certificate_that_is_not_good) {
    StsScene scene(file("enforce", "mx.one.example"), &unknown_issuer());
    scene.expect_deferred("self-signed");
    EXPECT_GE(scene.by_sts(TlsResult::untrusted), 1U);
}

TEST(RelaySts, enforce_is_not_talked_out_of_tls) {
    {
        StsScene scene(file("enforce", "mx.one.example"));
        scene.mx.options().tls = nullptr;
        scene.expect_deferred("STARTTLS");
    }
    StsScene scene(file("enforce", "mx.one.example"), nullptr, {.handshake = Handshake::garbage});
    scene.expect_deferred("TLS");
}

TEST(RelaySts, a_host_that_the_policy_does_not_name_is_not_connected_to) {
    StsScene scene(file("enforce", "other.one.example"));
    scene.expect_deferred("MTA-STS policy");
    EXPECT_EQ(scene.mx.sessions(), 0U);
}

// M05: by preference, and what is invalid is as if it did not answer.
TEST(RelaySts, the_next_host_takes_the_mail) {
    const auto context = server(authority().issue({.names = {"mx2.one.example"}}));
    for (const char* pattern : {"mx2.one.example", "*.one.example"}) {
        StsScene scene(file("enforce", pattern), &unknown_issuer());
        scene.add_second({.name = "mx2", .tls = context.get()});
        scene.expect_the_second_takes(3);
    }
}

TEST(RelaySts, testing_and_none_deliver_anyway) {
    for (const char* mode : {"testing", "none"}) {
        StsScene scene(file(mode, "other.example"), &unknown_issuer());
        scene.expect_delivered(3, true);
        EXPECT_EQ(scene.by_sts(TlsResult::verified) + scene.by_sts(TlsResult::unverified), 0U);
    }
}

// M04: nothing is known yet, and nothing can be fetched.
TEST(RelaySts, a_policy_that_cannot_be_fetched_is_none_and_asked_for_every_five_minutes) {
    StsScene scene("", &unknown_issuer());
    scene.zone.ttl = seconds{30};
    for (int i = 0; i < 8; ++i) {
        scene.expect_delivered(1, true);
        scene.world.run_for(minutes{1});
    }
    EXPECT_GE(scene.policies.fetches, 2U);
    EXPECT_LE(scene.policies.fetches, 3U);
    // Another id is another policy.
    scene.announce("another");
    scene.world.run_for(minutes{1});
    const std::size_t before = scene.policies.fetches;
    scene.expect_delivered(1, true);
    EXPECT_EQ(scene.policies.fetches, before + 1);
}

TEST(RelaySts, a_lookup_that_fails_is_not_repeated_for_every_message) {
    StsScene scene("", &unknown_issuer());
    scene.zone.fail("_mta-sts.one.example", dns::RecordType::txt, dns::DnsStatus::timeout);
    for (int i = 0; i < 10; ++i) {
        scene.expect_delivered(1, true);
        scene.world.run_for(minutes{1});
    }
    const std::size_t asked = scene.zone.asked[{"_mta-sts.one.example", dns::RecordType::txt}];
    EXPECT_GE(asked, 2U);
    EXPECT_LE(asked, 3U);
}

TEST(RelaySts, an_invalid_policy_is_none) {
    StsScene scene("version: STSv1\nmode: enforce\nmax_age: 100\n", &unknown_issuer());  // no mx
    scene.expect_delivered(1, true);
    EXPECT_EQ(scene.known.size(), 1U);  // the failure
}

// M04, F06: the record is gone, or DNS is, or the file: what was fetched counts until it is old.
TEST(RelaySts, a_known_policy_counts_until_its_max_age) {
    for (const int how : {0, 1, 2}) {
        SCOPED_TRACE(how);
        StsScene scene(file("enforce", "mx.one.example", "172800"));  // two days
        scene.expect_delivered(1, true);
        if (how == 0) scene.announce("");
        if (how == 1) {
            scene.zone.fail("_mta-sts.one.example", dns::RecordType::txt, dns::DnsStatus::servfail);
        }
        if (how == 2) scene.policies.files.clear();
        scene.world.run_for(hours{20});
        scene.mx.options().tls = nullptr;
        scene.inject(1);
        scene.world.run_for(hours{1});
        EXPECT_EQ(scene.mx.ledger().size(), 1U);
        EXPECT_GE(scene.relay->count("TransientFailure"), 1U);
        scene.world.run_for(hours{31});  // older than two days
        EXPECT_TRUE(scene.relay->run_until_drained(hours{3}));
        EXPECT_EQ(scene.mx.ledger().size(), 2U);
        EXPECT_FALSE(scene.mx.ledger().back().encrypted);
    }
}

TEST(RelaySts, a_policy_is_fetched_again_every_day) {
    StsScene scene(file("enforce", "mx.one.example", "604800"));
    scene.expect_delivered(1, true);
    for (int day = 1; day <= 3; ++day) {
        scene.world.run_for(days{1});
        scene.expect_delivered(1, true);
        scene.world.run_for(minutes{1});
        EXPECT_EQ(scene.policies.fetches, 1U + static_cast<std::size_t>(day));
    }
    // So it lives on although DNS went silent in between.
    scene.announce("");
    scene.world.run_for(days{6});
    scene.mx.options().tls = nullptr;
    scene.expect_mail_waits_until([&] { scene.mx.options().tls = scene.context.get(); });
}

// M05: a policy that was wrong is put right by a new id, before anything is given up.
TEST(RelaySts, a_new_id_brings_the_new_policy_while_mail_waits) {
    StsScene scene(file("enforce", "old.one.example"));
    scene.inject(1);
    scene.world.run_for(minutes{15});
    EXPECT_EQ(scene.relay->count("Delivery"), 0U);
    scene.policies.files["one.example"] = file("enforce", "mx.one.example");
    scene.announce("new");
    EXPECT_TRUE(scene.relay->run_until_drained(hours{6}));
    EXPECT_EQ(scene.mx.ledger().size(), 1U);
    EXPECT_GE(scene.by_sts(TlsResult::verified), 1U);
}

// One MX set; each domain's mail is held to its own policy.
TEST(RelaySts, domains_with_and_without_a_policy_share_no_connection) {
    StsScene scene(file("enforce", "mx.one.example"), &unknown_issuer());
    for (const char* domain : {"two.example", "three.example"})
        scene.zone.add_mx(domain, 10, "mx.one.example");
    scene.zone.add_txt("_mta-sts.three.example", "v=STSv1; id=3;");
    scene.policies.files["three.example"] = file("enforce", "other.example");
    for (const char* recipient :
         {"a@two.example", "a@one.example", "a@three.example", "b@two.example", "b@one.example"}) {
        scene.relay->inject(0, {recipient});
    }
    scene.world.run_for(minutes{10});
    ASSERT_EQ(scene.mx.ledger().size(), 2U);
    for (const Taken& taken : scene.mx.ledger())
        EXPECT_TRUE(taken.recipient.ends_with("@two.example"));
    EXPECT_GE(scene.relay->events_of("a@three.example").back().line.find("MTA-STS"), 1U);
}

// D08: DANE decides, for better and for worse.
TEST(RelaySts, tlsa_records_come_before_the_policy) {
    {
        StsScene scene(file("enforce", "mx.one.example"));  // which would be content
        scene.zone.is_signed = true;
        scene.zone.add_tlsa("mx.one.example", 25, {3, 1, 1, std::string(32, 'w')});
        scene.expect_deferred("TLSA");
    }
    {
        StsScene scene(file("enforce", "other.example"), &unknown_issuer());
        scene.zone.is_signed = true;
        scene.zone.add_tlsa("mx.one.example", 25,
                            {3, 1, 1, association(unknown_issuer(), 0, 1, 1)});
        scene.expect_delivered(2, true);
    }
    StsScene scene(file("enforce", "mx.one.example"), &unknown_issuer());
    scene.zone.is_signed = true;  // none usable: the policy decides
    scene.zone.add_tlsa("mx.one.example", 25, {1, 1, 1, std::string(32, 'w')});
    scene.expect_deferred("self-signed");
}

TEST(RelaySts, a_policy_of_none_does_not_look_for_policies) {
    StsScene scene(file("enforce", "other.example"), nullptr, {}, TlsPolicy::none);
    scene.expect_delivered(2, false);
    EXPECT_EQ(scene.policies.fetches, 0U);
}

TEST(RelaySts, a_table_may_say_that_policies_are_not_looked_for) {
    StsScene scene(file("enforce", "other.example"));
    scene.relay->reload("[\"one.example\"]\nenable_mta_sts = false\n");
    scene.expect_delivered(2, true);
    EXPECT_EQ(scene.policies.fetches, 0U);
}

// RFC 8689 section 5: TLS is tried, but neither the policy nor TLSA records keep the mail here;
// other mail for the domain is held to them all the same.
TEST(RelaySts, mail_whose_sender_waives_tls_is_not_held_to_what_the_domain_publishes) {
    StsScene scene(file("enforce", "other.example"), &unknown_issuer());
    scene.zone.is_signed = true;
    scene.zone.add_tlsa("mx.one.example", 25, {3, 1, 1, std::string(32, 'w')});
    const std::string waived = "TLS-Required: No\r\nSubject: a\r\n\r\nhello\r\n";
    scene.relay->inject(0, {"held@one.example"});
    scene.relay->inject(0, {"waived@one.example"}, waived);
    scene.relay->inject(0, {"held2@one.example"});
    scene.world.run_for(minutes{5});
    ASSERT_EQ(scene.mx.ledger().size(), 1U);
    EXPECT_EQ(scene.mx.ledger()[0].recipient, "waived@one.example");
    EXPECT_TRUE(scene.mx.ledger()[0].encrypted);
    scene.world.run_for(minutes{5});
    scene.mx.options().tls = nullptr;
    scene.relay->inject(0, {"waived2@one.example"}, waived);
    scene.world.run_for(minutes{5});
    ASSERT_EQ(scene.mx.ledger().size(), 2U);
    EXPECT_FALSE(scene.mx.ledger()[1].encrypted);
    EXPECT_EQ(scene.relay->count("Bounce"), 0U);
}

TEST(RelaySts, waiving_takes_nothing_from_the_configuration) {
    StsScene scene("", nullptr, {}, TlsPolicy::encrypt);
    scene.mx.options().tls = nullptr;
    scene.relay->inject(0, {"a@one.example"}, "TLS-Required: No\r\n\r\nhello\r\n");
    scene.world.run_for(minutes{10});
    EXPECT_TRUE(scene.mx.ledger().empty());
    EXPECT_GE(scene.relay->count("TransientFailure"), 1U);
}

TEST(RelaySts, a_slow_policy_host_delays_its_own_domain_only) {
    StsScene scene(file("enforce", "mx.one.example"));
    scene.policies.delay = seconds{50};
    scene.zone.add_mx("two.example", 10, "mx.one.example");
    scene.relay->inject(0, {"a@one.example"});
    scene.relay->inject(0, {"a@two.example"});
    scene.world.run_for(seconds{10});
    ASSERT_EQ(scene.mx.ledger().size(), 1U);
    EXPECT_EQ(scene.mx.ledger()[0].recipient, "a@two.example");
    scene.world.run_for(seconds{60});
    EXPECT_EQ(scene.mx.ledger().size(), 2U);
    EXPECT_GE(scene.by_sts(TlsResult::verified), 1U);
}

// RFC 8461 section 3.4: the policy is that of the smarthost, not of the recipient's domain.
class SmarthostScene : public TlsScene {
  public:
    SmarthostScene(const std::string& policy, const core::TlsIdentity* shows,
                   TlsPolicy tls = TlsPolicy::opportunistic)
        : TlsScene(tls, {}, shows, {{.domain = "*", .hosts = {{"mx.one.example", kMx.port}}}}) {
        zone.add_txt("_mta-sts.mx.one.example", "v=STSv1; id=1;");
        policies.files["mx.one.example"] = policy;
    }
};

TEST(RelaySts, a_smarthost_is_held_to_its_own_policy) {
    {
        SmarthostScene scene(file("enforce", "mx.one.example"), nullptr);
        scene.expect_delivered(3, true);
        EXPECT_EQ(scene.policies.fetches, 1U);
        EXPECT_EQ(scene.relay->metrics()
                      .destination(0)
                      .tls_sessions[static_cast<std::size_t>(metrics::TlsPolicy::sts)]
                                   [static_cast<std::size_t>(TlsResult::verified)]
                      .value(),
                  scene.mx.sessions());
    }
    {
        SmarthostScene scene(file("enforce", "mx.one.example"), &unknown_issuer());
        scene.expect_deferred("self-signed");
    }
    SmarthostScene scene(file("enforce", "another.example"), nullptr);
    scene.expect_deferred("MTA-STS policy");
    EXPECT_EQ(scene.mx.sessions(), 0U);
}

TEST(RelaySts, the_policy_of_a_smarthost_that_only_tests_changes_nothing) {
    SmarthostScene scene(file("testing", "another.example"), &unknown_issuer());
    scene.expect_delivered(3, true);
}

TEST(RelaySts, a_smarthost_in_clear_text_is_asked_for_no_policy) {
    SmarthostScene scene(file("enforce", "another.example"), nullptr, TlsPolicy::none);
    scene.expect_delivered(3, false);
    EXPECT_EQ(scene.policies.fetches, 0U);
}

// Each host is bound by its own policy or by none.
TEST(RelaySts, a_smarthost_without_a_policy_takes_what_the_one_with_it_may_not) {
    const auto context = server(unknown_issuer());
    TlsScene scene(TlsPolicy::opportunistic, {}, &unknown_issuer(),
                   {{.domain = "*",
                     .hosts = {{"mx.one.example", kMx.port}, {"mx2.one.example", kSecond.port}}}});
    scene.zone.add_txt("_mta-sts.mx.one.example", "v=STSv1; id=1;");
    scene.policies.files["mx.one.example"] = file("enforce", "mx.one.example");
    scene.add_second({.name = "mx2", .tls = context.get()});
    scene.expect_the_second_takes(3);
}

}  // namespace
}  // namespace sim
