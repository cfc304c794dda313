// Mail with REQUIRETLS (RFC 8689) through the whole relay: where it may go, and that it comes back
// at once where it may not.
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/tls_scene.h"

namespace sim {
namespace {

using core::test::association;
using core::test::Authority;
using relay::TlsPolicy;
using std::chrono::hours;
using std::chrono::minutes;

const core::TlsIdentity& stranger() {
    static const core::TlsIdentity made = Authority::self_signed({.names = {"mx.one.example"}});
    return made;
}

MxOptions passing_it_on() {
    MxOptions options;
    options.offers = {"REQUIRETLS"};
    return options;
}

// The policy of the configuration matters for other mail only. Recipients that begin with "must"
// belong to mail with REQUIRETLS.
class RequiringScene : public TlsScene {
  public:
    explicit RequiringScene(MxOptions options = passing_it_on(),
                            const core::TlsIdentity* shows = nullptr,
                            TlsPolicy policy = TlsPolicy::opportunistic)
        : TlsScene(policy, remembering(std::move(options)), shows) {
        prepare = [](relay::Message& message) {
            if (message.recipients[0]->address.view().starts_with("must")) {
                message.tls = relay::TlsRequest::required;
            }
        };
    }
    void send(const std::string& local_part) {
        relay->inject(0, {local_part + "@one.example"});
        world.run_for(minutes{2});
    }
    // Sends one, which comes back without a second attempt.
    void expect_returned(const std::string& enhanced, const std::string& why) {
        send("must-return");
        const auto events = relay->events_of("must-return@one.example");
        ASSERT_EQ(events.size(), 1U + 1U);  // its Reception
        EXPECT_EQ(events.back().type, "Bounce");
        EXPECT_EQ(events.back().code, 550U);
        EXPECT_NE(events.back().line.find(enhanced), std::string::npos) << events.back().line;
        EXPECT_NE(events.back().line.find(why), std::string::npos) << events.back().line;
        EXPECT_TRUE(mx.ledger().empty());
        for (const std::string& one : mx.violations())
            ADD_FAILURE() << one;
    }
    void expect_taken(const std::string& local_part, SimMx& by) {
        send(local_part);
        ASSERT_EQ(by.ledger().size(), 1U) << relay->events().back().line;
        EXPECT_TRUE(by.ledger()[0].encrypted);
        EXPECT_NE(mail_lines.find(" REQUIRETLS"), std::string::npos) << mail_lines;
        expect_clean();
    }
    std::string mail_lines;

  private:
    MxOptions remembering(MxOptions options) {
        options.script = [this](const Moment& moment) {
            if (moment.stage == Stage::mail) mail_lines.append(moment.line).append("\n");
            return Verdict{};
        };
        return options;
    }
};

const std::string kNoTls = R"("enhanced_code":{"class":5,"subject":7,"detail":10})";
const std::string kUnsupported = R"("enhanced_code":{"class":5,"subject":7,"detail":30})";

TEST(RelayRequiretls, goes_to_a_verified_host_that_signed_records_name) {
    for (const TlsPolicy policy : {TlsPolicy::none, TlsPolicy::opportunistic}) {
        RequiringScene scene(passing_it_on(), nullptr, policy);
        scene.zone.is_signed = true;
        scene.expect_taken("must", scene.mx);
    }
}

TEST(RelayRequiretls, goes_to_a_verified_host_that_the_policy_names) {
    RequiringScene scene(passing_it_on(), nullptr, TlsPolicy::none);
    scene.zone.add_txt("_mta-sts.one.example", "v=STSv1; id=1;");
    scene.policies.files["one.example"] =
        "version: STSv1\nmode: enforce\nmx: mx.one.example\nmax_age: 604800\n";
    scene.expect_taken("must", scene.mx);
}

TEST(RelayRequiretls, goes_to_a_host_that_dane_authenticates) {
    RequiringScene scene(passing_it_on(), &stranger());
    scene.zone.is_signed = true;
    scene.zone.add_tlsa("mx.one.example", 25, {3, 1, 1, association(stranger(), 0, 1, 1)});
    scene.expect_taken("must", scene.mx);
}

TEST(RelayRequiretls, comes_back_when_nothing_secure_names_a_host) {
    RequiringScene scene;
    scene.expect_returned(kNoTls, "records that are not signed");
    EXPECT_EQ(scene.mx.sessions(), 0U);
}

TEST(RelayRequiretls, comes_back_where_tls_or_its_certificate_is_missing) {
    {
        RequiringScene scene;
        scene.zone.is_signed = true;
        scene.mx.options().tls = nullptr;
        scene.expect_returned(kNoTls, "does not offer STARTTLS");
    }
    RequiringScene scene(passing_it_on(), &stranger());
    scene.zone.is_signed = true;
    scene.expect_returned(kNoTls, "self-signed");
}

// What this mail needs and the host lacks is not held against the host.
TEST(RelayRequiretls, comes_back_where_it_would_not_be_passed_on_and_other_mail_goes) {
    for (const bool encrypts : {true, false}) {
        RequiringScene scene(MxOptions{});
        scene.zone.is_signed = true;
        if (!encrypts) scene.mx.options().tls = nullptr;
        scene.expect_returned(encrypts ? kUnsupported : kNoTls, "does not offer");
        scene.send("other");
        ASSERT_EQ(scene.mx.ledger().size(), 1U);
        EXPECT_EQ(scene.mx.ledger()[0].encrypted, encrypts);
        EXPECT_EQ(scene.mail_lines.find("REQUIRETLS"), std::string::npos);
        EXPECT_EQ(scene.relay->count("TransientFailure"), 0U);
    }
}

TEST(RelayRequiretls, the_next_host_may_have_what_it_takes) {
    const auto context = server(authority().issue({.names = {"mx2.one.example"}}));
    RequiringScene scene(MxOptions{});
    scene.zone.is_signed = true;
    scene.add_second({.name = "mx2", .offers = {"REQUIRETLS"}, .tls = context.get()});
    scene.send("must");
    EXPECT_TRUE(scene.mx.ledger().empty());
    ASSERT_EQ(scene.second->ledger().size(), 1U);
    EXPECT_TRUE(scene.second->ledger()[0].encrypted);
}

TEST(RelayRequiretls, waits_for_a_host_that_may_have_it_and_is_away) {
    RequiringScene scene(MxOptions{});  // which lacks it
    scene.zone.is_signed = true;
    scene.zone.add_mx("one.example", 20, "mx2.one.example");
    scene.zone.add_address("mx2.one.example", kSecond.ip);  // nobody there
    scene.send("must");
    scene.world.run_for(minutes{10});
    EXPECT_EQ(scene.relay->count("Bounce"), 0U);
    EXPECT_GE(scene.relay->count("TransientFailure"), 1U);
    scene.mx.options().offers = {"REQUIRETLS"};
    EXPECT_TRUE(scene.relay->run_until_drained(hours{6}));
    EXPECT_EQ(scene.mx.ledger().size(), 1U);
}

}  // namespace
}  // namespace sim
