// The whole relay against servers whose TLS is right, wrong, broken or gone, under every policy,
// over days of virtual time.
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "relay/config/smarthost.h"
#include "tests/sim/tls_scene.h"

namespace sim {
namespace {

using Scene = TlsScene;

using core::test::Authority;
using core::test::CertificateWish;
using metrics::TlsResult;
using relay::TlsPolicy;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// ---- What works

TEST(RelayTls, delivers_encrypted_and_says_so) {
    for (const TlsPolicy policy :
         {TlsPolicy::opportunistic, TlsPolicy::encrypt, TlsPolicy::verify}) {
        Scene scene(policy);
        scene.expect_delivered(20, true);
        EXPECT_GT(scene.mx.pipelined_groups(), 0U);
        EXPECT_GE(scene.counted(policy, TlsResult::verified), 1U);
        for (const Recorded& one : scene.relay->events()) {
            if (one.type != "Delivery") continue;
            EXPECT_NE(one.line.find(R"("tls_cipher":"TLS_AES_256_GCM_SHA384")"), std::string::npos);
            EXPECT_NE(one.line.find(R"("tls_protocol_version":"TLSv1.3")"), std::string::npos);
        }
    }
}

TEST(RelayTls, by_bdat_inside_tls) {
    Scene scene(TlsPolicy::verify, {.chunking = true});
    scene.expect_delivered(10, true);
    EXPECT_TRUE(scene.mx.ledger().front().by_chunk);
}

TEST(RelayTls, a_policy_of_none_does_not_ask) {
    Scene scene(TlsPolicy::none);
    scene.expect_delivered(3, false);
    EXPECT_EQ(scene.mx.encrypted_sessions(), 0U);
    for (const Recorded& one : scene.relay->events()) {
        EXPECT_NE(one.line.find(R"("tls_cipher":null)"), std::string::npos) << one.line;
    }
}

// X01: only the list inside TLS counts.
TEST(RelayTls, extensions_are_learned_again_inside_tls) {
    {
        Scene scene(TlsPolicy::opportunistic, {.pipelining = true, .pipelining_in_tls = false});
        scene.expect_delivered(10, true);  // SimMx minds a group that it did not offer
        EXPECT_EQ(scene.mx.pipelined_groups(), 0U);
    }
    Scene scene(TlsPolicy::opportunistic, {.pipelining = false, .pipelining_in_tls = true});
    scene.expect_delivered(10, true);
    EXPECT_GT(scene.mx.pipelined_groups(), 0U);
}

TEST(RelayTls, later_connections_resume) {
    Scene scene(TlsPolicy::verify);
    scene.expect_delivered(1, true);
    for (int i = 0; i < 3; ++i) {
        scene.world.run_for(minutes{5});  // the connection is closed for want of mail
        scene.expect_delivered(1, true);
    }
    EXPECT_EQ(scene.mx.encrypted_sessions(), 4U);
    EXPECT_EQ(scene.mx.resumed_sessions(), 3U);
}

// ---- Certificates that are wrong

struct WrongCertificate {
    const char* name;
    core::TlsIdentity identity;
    const char* words;
};

std::vector<WrongCertificate> wrong_certificates() {
    CertificateWish expired{.names = {"mx.one.example"}};
    expired.not_after = core::WallTime{seconds{1'710'000'000}};
    return {{"expired", authority().issue(expired), "certificate has expired"},
            {"self-signed", Authority::self_signed({.names = {"mx.one.example"}}), "self-signed"},
            {"wrong name", authority().issue({.names = {"mx.two.example"}}), "hostname mismatch"}};
}

TEST(RelayTls, any_certificate_will_do_unless_it_must_be_verified) {
    for (const WrongCertificate& wrong : wrong_certificates()) {
        for (const TlsPolicy policy : {TlsPolicy::opportunistic, TlsPolicy::encrypt}) {
            SCOPED_TRACE(wrong.name);
            Scene scene(policy, {}, &wrong.identity);
            scene.expect_delivered(5, true);
            EXPECT_GE(scene.counted(policy, TlsResult::unverified), 1U);
            EXPECT_EQ(scene.counted(policy, TlsResult::verified), 0U);
        }
        SCOPED_TRACE(wrong.name);
        Scene scene(TlsPolicy::verify, {}, &wrong.identity);
        scene.expect_deferred(wrong.words);
        EXPECT_GE(scene.counted(TlsPolicy::verify, TlsResult::untrusted), 1U);
    }
}

TEST(RelayTls, a_host_that_fails_makes_room_for_the_next) {
    const core::TlsIdentity wrong = authority().issue({.names = {"mx.two.example"}});
    const auto context = server(authority().issue({.names = {"mx2.one.example"}}));
    Scene scene(TlsPolicy::verify, {}, &wrong);
    scene.add_second({.name = "mx2", .tls = context.get()});
    scene.expect_the_second_takes(5);
    EXPECT_EQ(scene.relay->count("TransientFailure"), 0U);
}

// ---- TLS that does not work (F06)

struct Broken {
    const char* name;
    MxOptions options;
    const char* words;
};

std::vector<Broken> broken_servers() {
    const auto says = [](std::string reply) {
        return [reply](const Moment& moment) -> Verdict {
            if (moment.stage == Stage::starttls) return {.reply = reply};
            return {};
        };
    };
    const auto ends = [](Stage stage, Verdict::Ending ending) {
        return [stage, ending](const Moment& moment) -> Verdict {
            if (moment.stage == stage) return {.ending = ending};
            return {};
        };
    };
    // At the second EHLO of a session.
    const auto ends_inside = [](Verdict::Ending ending) {
        auto secure = std::make_shared<std::uint64_t>(0);
        return [secure, ending](const Moment& moment) -> Verdict {
            if (moment.stage == Stage::starttls) *secure = moment.session;
            if (moment.stage == Stage::hello && *secure == moment.session)
                return {.ending = ending};
            return {};
        };
    };
    return {{"454", {.script = says("454 4.7.0 TLS not available")}, "TLS not available"},
            {"stall", {.handshake = Handshake::stall}, "timed out"},
            {"garbage", {.handshake = Handshake::garbage}, "TLS: "},
            {"close", {.handshake = Handshake::close}, "TLS: "},
            {"no reply", {.script = ends(Stage::starttls, Verdict::Ending::drop)}, "closed"},
            {"reset", {.script = ends(Stage::starttls, Verdict::Ending::reset)}, "reset"},
            {"silence", {.script = ends(Stage::starttls, Verdict::Ending::stall)}, "no reply"},
            {"421", {.script = says("421 4.3.2 not now")}, "not now"},
            {"no SMTP", {.script = says("hello?")}, "malformed"},
            {"garbage with the reply", {.script = says("220 go\r\n<html>")}, "octets after"},
            {"close behind it", {.handshake = Handshake::close_behind}, "closed"},
            {"no reply to EHLO inside", {.script = ends_inside(Verdict::Ending::drop)}, "closed"},
            {"silence inside", {.script = ends_inside(Verdict::Ending::stall)}, "no reply"}};
}

TEST(RelayTls, opportunistic_delivers_in_clear_text_over_a_new_connection_and_remembers) {
    for (const Broken& broken : broken_servers()) {
        SCOPED_TRACE(broken.name);
        Scene scene(TlsPolicy::opportunistic, broken.options);
        scene.expect_delivered(3, false);
        EXPECT_EQ(scene.mx.sessions(), 2U);  // one failed, one delivered
        EXPECT_EQ(scene.relay->count("TransientFailure"), 0U);
        // The next connection does not try.
        scene.world.run_for(minutes{1});
        scene.expect_delivered(3, false);
        EXPECT_EQ(scene.mx.sessions(), 3U);
        EXPECT_GE(scene.counted(TlsPolicy::opportunistic, TlsResult::avoided), 1U);
        // One session tries again, and TLS that was mended is used.
        scene.mx.options().handshake = Handshake::proper;
        scene.mx.options().script = {};
        scene.world.run_for(minutes{5});
        scene.inject(1);
        EXPECT_TRUE(scene.relay->run_until_drained(hours{1}));
        EXPECT_TRUE(scene.mx.ledger().back().encrypted);
        EXPECT_GE(scene.mx.encrypted_sessions(), 1U);
    }
}

TEST(RelayTls, encrypt_and_verify_never_deliver_in_clear_text) {
    for (const Broken& broken : broken_servers()) {
        for (const TlsPolicy policy : {TlsPolicy::encrypt, TlsPolicy::verify}) {
            SCOPED_TRACE(broken.name);
            Scene scene(policy, broken.options);
            scene.inject(2);
            scene.world.run_for(days{1});
            EXPECT_TRUE(scene.mx.ledger().empty());
            EXPECT_GE(scene.relay->count("TransientFailure"), 2U);
            EXPECT_EQ(scene.relay->count("Bounce"), 0U);
            for (const Recorded& one : scene.relay->events()) {
                if (one.type == "TransientFailure") {
                    EXPECT_NE(one.line.find(broken.words), std::string::npos) << one.line;
                }
            }
            // It is delivered once TLS works.
            scene.mx.options().handshake = Handshake::proper;
            scene.mx.options().script = {};
            EXPECT_TRUE(scene.relay->run_until_drained(hours{12}));
            scene.expect_clean();
            EXPECT_TRUE(scene.mx.ledger().front().encrypted);
        }
    }
}

TEST(RelayTls, starttls_that_is_not_offered) {
    for (const TlsPolicy policy : {TlsPolicy::encrypt, TlsPolicy::verify}) {
        Scene scene(policy);
        scene.mx.options().tls = nullptr;
        scene.expect_deferred("does not offer STARTTLS");
        EXPECT_GE(scene.counted(policy, TlsResult::not_offered), 1U);
    }
    Scene scene(TlsPolicy::opportunistic);
    scene.expect_delivered(1, true);
    scene.mx.options().tls = nullptr;
    scene.world.run_for(minutes{10});
    scene.inject(1);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{1}));
    EXPECT_FALSE(scene.mx.ledger().back().encrypted);
    EXPECT_EQ(scene.counted(TlsPolicy::opportunistic, TlsResult::stripped), 1U);
    EXPECT_EQ(scene.counted(TlsPolicy::opportunistic, TlsResult::not_offered), 0U);
}

TEST(RelayTls, a_server_that_only_knows_helo) {
    {
        Scene scene(TlsPolicy::opportunistic, {.pipelining = false, .esmtp = false});
        scene.expect_delivered(2, false);
    }
    Scene scene(TlsPolicy::encrypt, {.pipelining = false, .esmtp = false});
    scene.expect_deferred("does not offer STARTTLS");
}

// X03, CVE-2021-38371: what an attacker put after the reply is never taken for TLS or a reply.
TEST(RelayTls, octets_after_the_reply_to_starttls_end_the_connection) {
    for (const TlsPolicy policy :
         {TlsPolicy::opportunistic, TlsPolicy::encrypt, TlsPolicy::verify}) {
        MxOptions options;
        options.script = [](const Moment& moment) -> Verdict {
            if (moment.stage != Stage::starttls) return {};
            return {.reply = "220 2.0.0 go\r\n250-fake\r\n250 PIPELINING"};
        };
        Scene scene(policy, options);
        scene.expect_deferred("octets after the reply to STARTTLS");
        EXPECT_EQ(scene.mx.encrypted_sessions(), 0U);
        EXPECT_GE(scene.counted(policy, TlsResult::failed), 1U);
    }
}

// C4: a receiver that restarts while its TLS works is no reason for clear text.
TEST(RelayTls, connections_lost_by_a_restart_do_not_strip_tls) {
    Scene scene(TlsPolicy::opportunistic);
    scene.expect_delivered(3, true);
    scene.world.run_for(minutes{10});
    const core::Instant up = scene.world.shard().now() + minutes{2};
    scene.mx.options().script = [up](const Moment& moment) -> Verdict {
        if (moment.stage != Stage::starttls || moment.now > up) return {};
        return {.ending = Verdict::Ending::drop};
    };
    scene.expect_delivered(20, true);
    EXPECT_EQ(scene.counted(TlsPolicy::opportunistic, TlsResult::avoided), 0U);
}

// C4: when TLS that worked is gone for good, mail goes clear before it expires.
TEST(RelayTls, connections_that_are_lost_again_and_again_end_in_clear_text) {
    Scene scene(TlsPolicy::opportunistic);
    scene.expect_delivered(3, true);
    scene.mx.options().handshake = Handshake::close_behind;
    scene.world.run_for(minutes{10});
    scene.inject(2);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{6}));
    scene.expect_clean();
    EXPECT_FALSE(scene.mx.ledger().back().encrypted);
}

// ---- Smarthosts

std::vector<relay::RouteConfig> smarthost(TlsPolicy policy, const std::string& password,
                                          bool insecure = false) {
    relay::Smarthost settings;
    settings.tls_name = "mx.one.example";
    settings.username = "mta";
    settings.password = password;
    settings.auth_insecure = insecure;
    relay::RouteConfig route;
    route.domain = "*";
    route.hosts = {{kMx.ip.to_string(), kMx.port, kMx.ip}};
    route.tls = policy;
    route.smarthost = std::make_shared<const relay::Smarthost>(std::move(settings));
    return {route};
}

const std::string kCredentials = "AG10YQBzZWNyZXQ=";  // \0mta\0secret

TEST(RelayTls, a_smarthost_with_tls_from_the_first_octet_and_a_login) {
    Scene scene(TlsPolicy::opportunistic,
                {.implicit_tls = true, .auth = "PLAIN", .credentials = kCredentials}, nullptr,
                smarthost(TlsPolicy::implicit, "secret"));
    scene.expect_delivered(10, true);
    EXPECT_GE(scene.counted(TlsPolicy::implicit, TlsResult::verified), 1U);
    EXPECT_EQ(scene.mx.violations().size(), 0U);
}

TEST(RelayTls, a_smarthost_that_refuses_the_login_keeps_the_mail_here) {
    Scene scene(TlsPolicy::opportunistic, {.auth = "PLAIN", .credentials = kCredentials}, nullptr,
                smarthost(TlsPolicy::verify, "wrong"));
    scene.inject(3);
    scene.world.run_for(days{1});
    EXPECT_TRUE(scene.mx.ledger().empty());
    EXPECT_EQ(scene.relay->count("Bounce"), 0U);
    EXPECT_GE(scene.relay->count("TransientFailure"), 3U);
    for (const Recorded& one : scene.relay->events()) {
        EXPECT_EQ(one.line.find("wrong"), std::string::npos) << one.line;
        EXPECT_EQ(one.line.find("AG10YQ"), std::string::npos) << one.line;
    }
    scene.mx.options().credentials = "AG10YQB3cm9uZw==";  // the account was mended over there
    EXPECT_TRUE(scene.relay->run_until_drained(hours{12}));
    scene.expect_clean();
}

TEST(RelayTls, a_password_is_not_told_to_an_unverified_host) {
    const core::TlsIdentity wrong = Authority::self_signed();
    bool asked = false;
    MxOptions options{.auth = "PLAIN LOGIN", .credentials = kCredentials};
    options.script = [&asked](const Moment& moment) -> Verdict {
        if (moment.stage == Stage::auth) asked = true;
        return {};
    };
    {
        Scene scene(TlsPolicy::opportunistic, options, &wrong,
                    smarthost(TlsPolicy::encrypt, "secret"));
        scene.inject(1);
        scene.world.run_for(hours{2});
        EXPECT_TRUE(scene.mx.ledger().empty());
        EXPECT_GE(scene.relay->count("TransientFailure"), 1U);
        EXPECT_FALSE(asked);
    }
    Scene scene(TlsPolicy::opportunistic, options, &wrong,
                smarthost(TlsPolicy::encrypt, "secret", true));
    scene.expect_delivered(1, true);
    EXPECT_TRUE(asked);
}

// Whoever answers an SRV question may lie: the certificate is that of the domain whose service it
// is, unless DNSSEC vouches for the answer or the configuration names the host (RFC 6186 section
// 6).
TEST(RelayTls, a_service_is_verified_by_its_own_domain) {
    const auto scene_for = [](const core::TlsIdentity* shows, const std::string& tls_name) {
        relay::RouteConfig route;
        route.domain = "*";
        route.hosts = {{.host = "_submission._tcp.one.example", .port = 0, .service = true}};
        route.tls = TlsPolicy::verify;
        relay::Smarthost settings;
        settings.tls_name = tls_name;
        if (settings.is_set()) route.smarthost = std::make_shared<const relay::Smarthost>(settings);
        auto scene = std::make_unique<Scene>(TlsPolicy::opportunistic, MxOptions{}, shows,
                                             std::vector{route});
        scene->zone.add_srv("_submission._tcp.one.example", {0, 0, kMx.port, "mx.one.example"});
        return scene;
    };
    scene_for(nullptr, "")->expect_deferred("hostname mismatch");
    scene_for(nullptr, "mx.one.example")->expect_delivered(3, true);
    const core::TlsIdentity of_domain = authority().issue({.names = {"one.example"}});
    scene_for(&of_domain, "")->expect_delivered(3, true);
    const auto vouched = scene_for(nullptr, "");
    vouched->zone.is_signed = true;
    vouched->expect_delivered(3, true);
}

// ---- Ends

TEST(RelayTls, drains_while_connections_are_encrypted) {
    Scene scene(TlsPolicy::opportunistic, {.content_delay = seconds{2}});
    scene.inject(3);
    scene.world.run_for(seconds{1});
    EXPECT_TRUE(scene.relay->close());
    scene.mx.stop();
    EXPECT_TRUE(scene.world.run_until([&] { return scene.mx.idle(); }, hours{1}));
}

}  // namespace
}  // namespace sim
