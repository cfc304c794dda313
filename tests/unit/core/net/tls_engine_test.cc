// Two engines talk in memory: handshakes and data cut at every octet, every way a certificate can
// be wrong at every level, DANE with records made here, resumption, ends and garbage.
#include "core/net/tls_engine.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "core/io/io_backend.h"
#include "tests/sim/sim_world.h"
#include "tests/unit/core/net/certificates.h"

namespace core {
namespace {

using State = TlsEngine::State;
using test::association;
using test::Authority;
using test::CertificateWish;

constexpr WallTime kNow{std::chrono::seconds{1'784'000'000}};

const Authority& authority() {
    static const Authority made;
    return made;
}

std::unique_ptr<TlsContext> server_context(const TlsIdentity& identity) {
    auto made = TlsContext::server(identity);
    EXPECT_TRUE(made.has_value()) << made.error();
    return std::move(*made);
}

std::unique_ptr<TlsContext> client_context(bool with_roots = true) {
    const TlsRoots roots = authority().roots();
    return std::move(*TlsContext::client(with_roots ? &roots : nullptr, nullptr));
}

TlsExpectation named(TlsLevel level, const std::string& name) {
    return {level, name, {name}, {}};
}

// Both ends and what each has decrypted; turn() carries what each has to say to the other.
struct Ends {
    Ends(TlsContext& client_side, TlsContext& server_side, const TlsClientStart& start)
        : client(client_side, start), server(server_side) {
        server.start();
        client.start();
    }
    static void carry(TlsEngine& from, TlsEngine& to, std::string& plain, std::size_t piece) {
        const std::string octets = from.take_output();
        for (std::size_t at = 0; at < octets.size(); at += piece)
            to.receive(std::string_view(octets).substr(at, piece), plain);
    }
    void settle(std::size_t piece = SIZE_MAX / 2) {
        for (int turns = 0; turns < 20 && (client.has_output() || server.has_output()); ++turns) {
            carry(client, server, at_server, piece);
            carry(server, client, at_client, piece);
        }
    }
    TlsEngine client;
    TlsEngine server;
    std::string at_client;
    std::string at_server;
};

TEST(TlsEngine, opens_and_carries_data_both_ways) {
    const auto server = server_context(authority().issue());
    const auto client = client_context();
    Ends ends(*client, *server, {named(TlsLevel::pkix, "mx.example"), kNow, nullptr, {}});
    ends.settle();
    ASSERT_EQ(ends.client.state(), State::open) << ends.client.reason();
    ASSERT_EQ(ends.server.state(), State::open) << ends.server.reason();
    EXPECT_EQ(ends.client.protocol(), "TLSv1.3");
    EXPECT_EQ(ends.client.cipher(), "TLS_AES_256_GCM_SHA384");
    EXPECT_TRUE(ends.client.authenticated());
    EXPECT_FALSE(ends.client.resumed());
    const std::string large(TlsContext::kRecord, 'x');
    ends.client.send("EHLO me\r\n");
    ends.client.send(large);
    ends.server.send("250 you\r\n");
    ends.settle();
    EXPECT_EQ(ends.at_server, "EHLO me\r\n" + large);
    EXPECT_EQ(ends.at_client, "250 you\r\n");
}

// Whatever the pieces in which TCP delivers: octet by octet, and in two at every place.
TEST(TlsEngine, any_split_of_handshake_and_data_gives_the_same) {
    const auto server = server_context(authority().issue());
    const auto client = client_context();
    const auto play = [&](std::size_t piece) {
        Ends ends(*client, *server, {named(TlsLevel::pkix, "mx.example"), kNow, nullptr, {}});
        ends.settle(piece);
        ASSERT_EQ(ends.client.state(), State::open) << ends.client.reason();
        ASSERT_EQ(ends.server.state(), State::open) << ends.server.reason();
        ends.client.send("MAIL FROM:<>\r\n");
        ends.client.send("RCPT TO:<a@b>\r\n");
        ends.server.send("250 1\r\n");
        ends.server.send("250 2\r\n");
        ends.client.close();
        ends.settle(piece);
        EXPECT_EQ(ends.at_server, "MAIL FROM:<>\r\nRCPT TO:<a@b>\r\n") << piece;
        EXPECT_EQ(ends.at_client, "250 1\r\n250 2\r\n") << piece;
        EXPECT_EQ(ends.server.state(), State::closed) << piece;
    };
    for (const std::size_t piece : {1U, 2U, 3U, 5U, 6U, 7U, 64U, 1000U})
        play(piece);
}

TEST(TlsEngine, a_flight_cut_in_two_at_every_octet) {
    const auto server_side = server_context(authority().issue());
    const auto client_side = client_context();
    std::size_t length = 1;
    for (std::size_t cut = 0; cut < length; ++cut) {
        Ends ends(*client_side, *server_side, {{}, kNow, nullptr, {}});
        std::string ignored;
        const std::string hello = ends.client.take_output();
        ends.server.receive(std::string_view(hello).substr(0, cut % hello.size()), ignored);
        ends.server.receive(std::string_view(hello).substr(cut % hello.size()), ignored);
        const std::string flight = ends.server.take_output();
        length = flight.size();  // of the signature, it varies by an octet or two
        const std::size_t place = std::min(cut, length - 1);
        ends.client.receive(std::string_view(flight).substr(0, place), ends.at_client);
        EXPECT_EQ(ends.client.state(), State::handshaking) << cut;
        ends.client.receive(std::string_view(flight).substr(place), ends.at_client);
        ASSERT_EQ(ends.client.state(), State::open) << cut << ends.client.reason();
        ends.settle();
        ends.server.send("220 ready\r\n");
        const std::string data = ends.server.take_output();
        const std::size_t at = cut % data.size();
        ends.client.receive(std::string_view(data).substr(0, at), ends.at_client);
        ends.client.receive(std::string_view(data).substr(at), ends.at_client);
        ASSERT_EQ(ends.at_client, "220 ready\r\n") << cut;
    }
    EXPECT_GT(length, 500U);
}

// ---- Levels

struct Judged {
    State state;
    TlsFault fault;
    bool authenticated;
};

Judged judge(const TlsIdentity& identity, const TlsExpectation& expectation, WallTime now = kNow,
             bool with_roots = true) {
    const auto server = server_context(identity);
    const auto client = client_context(with_roots);
    Ends ends(*client, *server, {expectation, now, nullptr, {}});
    ends.settle();
    if (ends.client.state() == State::failed) {
        EXPECT_NE(ends.client.reason(), "");
        EXPECT_NE(ends.server.state(), State::handshaking) << "no alert came";
    }
    return {ends.client.state(), ends.client.fault(), ends.client.authenticated()};
}

TEST(TlsEngine, pkix_asks_for_chain_name_and_time) {
    const auto verdict = [](const TlsIdentity& identity, const std::string& name,
                            WallTime now = kNow, bool with_roots = true) {
        return judge(identity, named(TlsLevel::pkix, name), now, with_roots).fault;
    };
    const TlsIdentity good = authority().issue();
    EXPECT_EQ(verdict(good, "mx.example"), TlsFault::none);
    EXPECT_EQ(verdict(good, "other.example"), TlsFault::wrong_name);
    EXPECT_EQ(verdict(Authority::self_signed(), "mx.example"), TlsFault::untrusted);
    EXPECT_EQ(verdict(good, "mx.example", kNow, false), TlsFault::untrusted);
    CertificateWish old;
    old.not_after = kNow - std::chrono::seconds{1};
    EXPECT_EQ(verdict(authority().issue(old), "mx.example"), TlsFault::expired);
    EXPECT_EQ(verdict(authority().issue(old), "mx.example", kNow - std::chrono::hours{1}),
              TlsFault::none)
        << "judged by the time that is passed in";
    CertificateWish young;
    young.not_before = kNow + std::chrono::seconds{1};
    EXPECT_EQ(verdict(authority().issue(young), "mx.example"), TlsFault::expired);
}

TEST(TlsEngine, pkix_names_are_dns_ids) {
    const auto accepts = [](const CertificateWish& wish, const std::string& name) {
        return judge(authority().issue(wish), named(TlsLevel::pkix, name)).fault == TlsFault::none;
    };
    CertificateWish wild;
    wild.names = {"*.example.com"};
    EXPECT_TRUE(accepts(wild, "mx.example.com"));
    EXPECT_FALSE(accepts(wild, "a.mx.example.com"));
    EXPECT_FALSE(accepts(wild, "example.com"));
    CertificateWish partial;
    partial.names = {"mx*.example.com"};
    EXPECT_FALSE(accepts(partial, "mx1.example.com"));
    CertificateWish only_common;
    only_common.names = {};
    only_common.common_name = "mx.example";
    EXPECT_FALSE(accepts(only_common, "mx.example"));
    CertificateWish address;
    address.names = {"192.0.2.1"};
    EXPECT_TRUE(accepts(address, "192.0.2.1"));
    EXPECT_FALSE(accepts(address, "192.0.2.2"));
    // One of several names is enough.
    TlsExpectation several = named(TlsLevel::pkix, "no.example");
    several.names.emplace_back("mx.example");
    EXPECT_EQ(judge(authority().issue(), several).fault, TlsFault::none);
}

TEST(TlsEngine, unauthenticated_takes_anything_and_tells) {
    const auto verdict = [](const TlsIdentity& identity, const std::string& name) {
        return judge(identity, named(TlsLevel::unauthenticated, name));
    };
    CertificateWish old;
    old.not_after = kNow - std::chrono::seconds{1};
    EXPECT_EQ(verdict(Authority::self_signed(), "mx.example").state, State::open);
    EXPECT_FALSE(verdict(Authority::self_signed(), "mx.example").authenticated);
    EXPECT_EQ(verdict(authority().issue(old), "mx.example").state, State::open);
    EXPECT_FALSE(verdict(authority().issue(old), "mx.example").authenticated);
    EXPECT_EQ(verdict(authority().issue(), "other.example").state, State::open);
    EXPECT_FALSE(verdict(authority().issue(), "other.example").authenticated);
    EXPECT_TRUE(verdict(authority().issue(), "mx.example").authenticated);
}

TEST(TlsEngine, protocols_before_1_2_are_refused) {
    const auto server = server_context(authority().issue());
    SSL_CTX_set_min_proto_version(server->native(), TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(server->native(), TLS1_1_VERSION);
    SSL_CTX_set_security_level(server->native(), 0);
    const auto client = client_context();
    Ends ends(*client, *server, {{}, kNow, nullptr, {}});
    ends.settle();
    EXPECT_EQ(ends.client.state(), State::failed);
    EXPECT_EQ(ends.client.fault(), TlsFault::protocol);
}

TEST(TlsEngine, sni_is_the_servers_name_and_never_an_address) {
    for (const bool address : {false, true}) {
        const auto server = server_context(authority().issue());
        const auto client = client_context();
        std::string seen;
        SSL_CTX_set_tlsext_servername_arg(server->native(), &seen);
        SSL_CTX_set_tlsext_servername_callback(
            server->native(), +[](SSL* ssl, int*, void* out) {
                const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
                *static_cast<std::string*>(out) = name == nullptr ? "none" : name;
                return SSL_TLSEXT_ERR_OK;
            });
        const std::string name = address ? "192.0.2.1" : "mx.example";
        Ends ends(*client, *server, {named(TlsLevel::unauthenticated, name), kNow, nullptr, {}});
        ends.settle();
        EXPECT_EQ(ends.client.state(), State::open);
        EXPECT_EQ(seen, address ? "none" : "mx.example");
    }
}

TEST(TlsEngine, a_client_certificate_is_shown_to_a_server_that_asks) {
    const auto server = server_context(authority().issue());
    const TlsRoots roots = authority().roots();
    SSL_CTX_set1_cert_store(server->native(), roots.native());
    SSL_CTX_set_verify(server->native(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       nullptr);
    const TlsIdentity ours = authority().issue({.names = {"mta.example"}});
    const auto with = std::move(*TlsContext::client(&roots, &ours));
    Ends shown(*with, *server, {named(TlsLevel::pkix, "mx.example"), kNow, nullptr, {}});
    shown.settle();
    EXPECT_EQ(shown.server.state(), State::open) << shown.server.reason();
    const auto without = client_context();
    Ends none(*without, *server, {named(TlsLevel::pkix, "mx.example"), kNow, nullptr, {}});
    none.settle();
    EXPECT_EQ(none.server.state(), State::failed);
    EXPECT_EQ(none.client.state(), State::failed) << "TLS 1.3 tells it after the handshake";
}

// ---- DANE (RFC 7672 section 3.1, RFC 7671)

TlsExpectation dane(std::vector<TlsaRecord> records, const std::string& name = "mx.example") {
    return {TlsLevel::dane, name, {}, std::move(records)};
}

TEST(TlsEngine, dane_ee_matches_the_leaf_whatever_name_time_and_issuer) {
    CertificateWish odd;
    odd.names = {"something.else"};
    odd.not_after = kNow - std::chrono::hours{24};
    const TlsIdentity identity = Authority::self_signed(odd);
    for (const std::uint8_t selector : std::vector<std::uint8_t>{0, 1}) {
        for (const std::uint8_t matching : std::vector<std::uint8_t>{0, 1, 2}) {
            const TlsaRecord good{3, selector, matching,
                                  association(identity, 0, selector, matching)};
            const Judged judged = judge(identity, dane({good}), kNow, false);
            EXPECT_EQ(judged.fault, TlsFault::none) << int{selector} << int{matching};
            EXPECT_TRUE(judged.authenticated);
            TlsaRecord bad = good;
            bad.data.back() = static_cast<char>(bad.data.back() ^ 1);
            if (matching != 0) {
                EXPECT_EQ(judge(identity, dane({bad})).fault, TlsFault::dane);
                // One that matches is enough (key rollover).
                EXPECT_EQ(judge(identity, dane({bad, good})).fault, TlsFault::none);
            }
        }
    }
}

TEST(TlsEngine, dane_ta_asks_for_a_chain_and_a_name) {
    const TlsIdentity identity = authority().issue();
    const TlsaRecord anchor{2, 0, 1, association(identity, 1, 0, 1)};
    EXPECT_EQ(judge(identity, dane({anchor}), kNow, false).fault, TlsFault::none);
    EXPECT_EQ(judge(identity, dane({anchor}, "other.example"), kNow, false).fault,
              TlsFault::wrong_name);
    TlsExpectation next_hop = dane({anchor}, "other.example");
    next_hop.names = {"mx.example"};
    EXPECT_EQ(judge(identity, next_hop, kNow, false).fault, TlsFault::none);
    const TlsaRecord other{2, 0, 1, association(Authority::self_signed(), 0, 0, 1)};
    EXPECT_EQ(judge(identity, dane({other})).fault, TlsFault::dane)
        << "a trusted root does not help";
}

TEST(TlsEngine, dane_without_a_usable_record_is_tls_without_authentication) {
    const TlsIdentity identity = Authority::self_signed();
    const TlsaRecord pkix_ee{1, 1, 1, association(identity, 0, 1, 1)};
    const TlsaRecord unknown_matching{3, 1, 9, "octets"};
    const TlsaRecord short_digest{3, 1, 1, "octets"};
    const Judged judged = judge(identity, dane({pkix_ee, unknown_matching, short_digest}));
    EXPECT_EQ(judged.state, State::open);
    EXPECT_FALSE(judged.authenticated);
}

// ---- Resumption

class Resumption : public testing::Test {
  protected:
    bool connect(TlsExpectation expectation, const std::string& key = "mx.example:25") {
        Ends ends(*client_, *server_, {std::move(expectation), kNow, &sessions_, key});
        ends.settle();
        EXPECT_EQ(ends.client.state(), State::open) << ends.client.reason();
        return ends.client.resumed();
    }
    sim::SimWorld world_{1};
    TlsSessions sessions_{world_.shard().reactor()};
    std::unique_ptr<TlsContext> server_ = server_context(authority().issue());
    std::unique_ptr<TlsContext> client_ = client_context();
};

TEST_F(Resumption, the_second_connection_resumes_and_stays_authenticated) {
    EXPECT_FALSE(connect(named(TlsLevel::pkix, "mx.example")));
    EXPECT_EQ(sessions_.size(), 1U);
    EXPECT_TRUE(connect(named(TlsLevel::pkix, "mx.example")));
    Ends ends(*client_, *server_,
              {named(TlsLevel::pkix, "mx.example"), kNow, &sessions_, "mx.example:25"});
    ends.settle();
    EXPECT_TRUE(ends.client.resumed() && ends.client.authenticated());
}

TEST_F(Resumption, never_across_levels_names_records_or_keys) {
    EXPECT_FALSE(connect(named(TlsLevel::unauthenticated, "mx.example")));
    EXPECT_FALSE(connect(named(TlsLevel::pkix, "mx.example")));
    EXPECT_FALSE(connect(named(TlsLevel::pkix, "mx.example"), "mx.example:25 from 192.0.2.1"));
    const TlsIdentity identity = authority().issue();
    server_ = server_context(identity);
    TlsExpectation first = dane({{3, 1, 1, association(identity, 0, 1, 1)}});
    EXPECT_FALSE(connect(first));
    EXPECT_TRUE(connect(first));
    first.tlsa.push_back({3, 1, 2, association(identity, 0, 1, 2)});
    EXPECT_FALSE(connect(first));
}

TEST_F(Resumption, tls_1_2_resumes_too) {
    SSL_CTX_set_max_proto_version(server_->native(), TLS1_2_VERSION);
    EXPECT_FALSE(connect({}));
    EXPECT_TRUE(connect({}));
}

TEST_F(Resumption, a_session_grows_old) {
    EXPECT_FALSE(connect({}));
    world_.run_for(TlsSessions::kMostAge);
    world_.shard().reactor().turn(false);  // its time is that of its last turn
    EXPECT_FALSE(connect({}));
}

TEST_F(Resumption, a_server_that_forgot_its_ticket_key_gets_a_whole_handshake) {
    EXPECT_FALSE(connect({}));
    server_ = server_context(authority().issue());
    EXPECT_FALSE(connect({}));
    EXPECT_TRUE(connect({}));
}

TEST_F(Resumption, the_longest_unused_session_makes_room) {
    TlsSessions few(world_.shard().reactor(), 8000);
    for (int i = 0; i < 40; ++i) {
        Ends ends(*client_, *server_, {{}, kNow, &few, "host " + std::to_string(i)});
        ends.settle();
        EXPECT_LE(few.octets(), 8000U);
    }
    EXPECT_GE(few.size(), 2U);
    Ends newest(*client_, *server_, {{}, kNow, &few, "host 39"});
    newest.settle();
    EXPECT_TRUE(newest.client.resumed());
    Ends oldest(*client_, *server_, {{}, kNow, &few, "host 0"});
    oldest.settle();
    EXPECT_FALSE(oldest.client.resumed());
}

// ---- Ends and nonsense

TEST(TlsEngine, close_notify_closes_and_what_came_before_it_counts) {
    const auto server = server_context(authority().issue());
    const auto client = client_context();
    Ends ends(*client, *server, {{}, kNow, nullptr, {}});
    ends.settle();
    ends.server.send("221 bye\r\n");
    ends.server.close();
    ends.settle();
    EXPECT_EQ(ends.at_client, "221 bye\r\n");
    EXPECT_EQ(ends.client.state(), State::closed);
}

TEST(TlsEngine, garbage_instead_of_a_handshake) {
    const auto client = client_context();
    for (const char* garbage :
         {"250 fake\r\n", "\x16\x03\x01\xff\xff", "\x15\x03\x03\x00\x02\x02\x28"}) {
        TlsEngine engine(*client, TlsClientStart{{}, kNow, nullptr, {}});
        engine.start();
        std::string plain;
        engine.receive({garbage, 7}, plain);
        EXPECT_EQ(engine.state(), State::failed);
        EXPECT_EQ(engine.fault(), TlsFault::protocol);
        EXPECT_NE(engine.reason(), "");
        EXPECT_EQ(plain, "");
        engine.receive("more", plain);  // has no effect
        EXPECT_EQ(engine.state(), State::failed);
    }
}

TEST(TlsEngine, a_flipped_bit_in_data_is_noticed) {
    const auto server = server_context(authority().issue());
    const auto client = client_context();
    Ends ends(*client, *server, {{}, kNow, nullptr, {}});
    ends.settle();
    ends.server.send("250 2.0.0 queued\r\n");
    std::string data = ends.server.take_output();
    data[data.size() / 2] = static_cast<char>(data[data.size() / 2] ^ 4);
    ends.client.receive(data, ends.at_client);
    EXPECT_EQ(ends.client.state(), State::failed);
    EXPECT_EQ(ends.at_client, "");
}

TEST(TlsEngine, an_endless_handshake_ends) {
    const auto client = client_context();
    TlsEngine engine(*client, TlsClientStart{{}, kNow, nullptr, {}});
    engine.start();
    std::string plain;
    // Warning alerts, which TLS allows between handshake messages.
    const std::string piece("\x15\x03\x03\x00\x02\x01\x5a", 7);
    for (std::size_t sent = 0; sent < 2 * TlsEngine::kMostHandshakeOctets; sent += piece.size()) {
        engine.receive(piece, plain);
        if (engine.state() == State::failed) break;
    }
    EXPECT_EQ(engine.state(), State::failed);
}

// Each of many servers sends most of a long chain of certificates and then nothing: together they
// hold little more than kMostOfAll, and an honest one goes through meanwhile.
TEST(TlsEngine, many_endless_handshakes_are_bounded_together) {
    constexpr std::size_t kEngines = 400;
    TlsIdentity identity = authority().issue();
    while (identity.certificate.size() < 100'000)  // as PEM; a message holds 100 KiB
        identity.certificate += authority().pem();
    const auto client = client_context();
    const auto server = server_context(identity);
    std::vector<std::unique_ptr<TlsEngine>> endless;
    std::string nothing;
    std::size_t crowded = 0;
    for (std::size_t i = 0; i < kEngines; ++i) {
        TlsEngine other(*server);
        other.start();
        TlsEngine& engine = *endless.emplace_back(
            std::make_unique<TlsEngine>(*client, TlsClientStart{{}, kNow, nullptr, {}}));
        engine.start();
        other.receive(engine.take_output(), nothing);
        const std::string flight = other.take_output();
        ASSERT_GT(flight.size(), 2 * TlsEngine::kModestHandshake);
        std::string_view left = std::string_view(flight).substr(0, flight.size() - 2000);
        while (!left.empty() && engine.state() == State::handshaking) {
            engine.receive(left.substr(0, 4096), nothing);
            left.remove_prefix(std::min<std::size_t>(left.size(), 4096));
        }
        if (engine.fault() == TlsFault::network) ++crowded;
    }
    EXPECT_LE(client->handshake_octets(), TlsEngine::kMostOfAll + TlsEngine::kMostHandshakeOctets);
    EXPECT_GT(client->handshake_octets(), TlsEngine::kMostOfAll / 2);
    EXPECT_GT(crowded, 0U);
    const auto plain_server = server_context(authority().issue());
    Ends honest(*client, *plain_server, {named(TlsLevel::pkix, "mx.example"), kNow, nullptr, {}});
    honest.settle();
    EXPECT_EQ(honest.client.state(), State::open) << honest.client.reason();
    endless.clear();
    EXPECT_EQ(client->handshake_octets(), 0U);
}

TEST(TlsContext, refuses_keys_that_do_not_fit) {
    TlsIdentity mixed = authority().issue();
    mixed.private_key = authority().issue().private_key;
    EXPECT_FALSE(TlsContext::server(mixed).has_value());
    EXPECT_FALSE(TlsContext::server({"nothing", mixed.private_key}).has_value());
    EXPECT_FALSE(TlsContext::server({mixed.certificate, "nothing"}).has_value());
    EXPECT_FALSE(TlsRoots::parse("no certificate").has_value());
    EXPECT_FALSE(TlsIdentity::load("/nonexistent", "/nonexistent").has_value());
}

}  // namespace
}  // namespace core
