// TlsEngine: what a handshake costs, full and resumed, both ends on this thread; what encrypting a
// message costs; and what OpenSSL and the engine hold of memory for a connection that idles.
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <malloc.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "core/net/tls_engine.h"
#include "core/runtime/clock.h"

namespace {

using core::TlsEngine;

constexpr core::WallTime kNow{std::chrono::seconds{1'784'000'000}};

// Octets that OpenSSL holds now.
std::size_t held = 0;

void* counted_malloc(std::size_t size, const char*, int) {
    void* at = std::malloc(size);
    held += malloc_usable_size(at);
    return at;
}
void* counted_realloc(void* at, std::size_t size, const char*, int) {
    held -= malloc_usable_size(at);
    at = std::realloc(at, size);
    held += malloc_usable_size(at);
    return at;
}
void counted_free(void* at, const char*, int) {
    held -= malloc_usable_size(at);
    std::free(at);
}
const bool counting = CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) == 1;

struct NoEvents final : core::EventSource {
    void wait(core::Instant) override {}
    void wake() override {}
};

template <typename Write>
std::string pem(Write write) {
    BIO* bio = BIO_new(BIO_s_mem());
    write(bio);
    char* data = nullptr;
    const long length = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(length));
    BIO_free(bio);
    return text;
}

// A certificate of its own for mx.example, with a P-256 key.
core::TlsIdentity self_signed() {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_TIME_set(X509_getm_notBefore(certificate), 1'700'000'000);
    ASN1_TIME_set(X509_getm_notAfter(certificate), 4'000'000'000);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>("mx.example"), -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key);
    X509_EXTENSION* name =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:mx.example");
    X509_add_ext(certificate, name, -1);
    X509_EXTENSION_free(name);
    X509_sign(certificate, key, EVP_sha256());
    core::TlsIdentity identity{
        pem([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); }), pem([&](BIO* bio) {
            PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
        })};
    X509_free(certificate);
    EVP_PKEY_free(key);
    return identity;
}

struct Bed {
    Bed() {
        const core::TlsIdentity identity = self_signed();
        const core::TlsRoots roots = *core::TlsRoots::parse(identity.certificate);
        client = std::move(*core::TlsContext::client(&roots, nullptr));
        server = std::move(*core::TlsContext::server(identity));
    }
    core::TlsClientStart start(core::TlsSessions* sessions = nullptr) const {
        return {{core::TlsLevel::pkix, "mx.example", {"mx.example"}, {}}, kNow, sessions, "mx:25"};
    }
    std::unique_ptr<core::TlsContext> client;
    std::unique_ptr<core::TlsContext> server;
};

struct Pair {
    Pair(Bed& bed, const core::TlsClientStart& start)
        : client(std::make_unique<TlsEngine>(*bed.client, start)),
          server(std::make_unique<TlsEngine>(*bed.server)) {
        server->start();
        client->start();
        settle();
    }
    void settle() {
        while (client->has_output() || server->has_output()) {
            server->receive(client->take_output(), plain);
            client->receive(server->take_output(), plain);
        }
    }
    std::unique_ptr<TlsEngine> client;
    std::unique_ptr<TlsEngine> server;
    std::string plain;
};

void HandshakeFull(benchmark::State& state) {
    Bed bed;
    for (auto _ : state) {
        const Pair pair(bed, bed.start());
        benchmark::DoNotOptimize(pair.client->state());
    }
}
BENCHMARK(HandshakeFull);

void HandshakeResumed(benchmark::State& state) {
    Bed bed;
    core::SystemClock clock;
    NoEvents events;
    const core::Reactor reactor(clock, events);
    core::TlsSessions sessions(reactor);
    const Pair first(bed, bed.start(&sessions));
    std::size_t resumed = 0;
    for (auto _ : state) {
        const Pair pair(bed, bed.start(&sessions));
        resumed += pair.client->resumed() ? 1 : 0;
    }
    if (resumed != static_cast<std::size_t>(state.iterations())) state.SkipWithError("not resumed");
}
BENCHMARK(HandshakeResumed);

void Encrypt10KiB(benchmark::State& state) {
    Bed bed;
    const Pair pair(bed, bed.start());
    const std::string message(10240, 'x');
    for (auto _ : state) {
        pair.client->send(message);
        benchmark::DoNotOptimize(pair.client->take_output());
    }
}
BENCHMARK(Encrypt10KiB);

// Each pair has carried a message and its reply. "octets" is the client's half, without the
// streams' own few hundred.
void IdleMemory(benchmark::State& state) {
    Bed bed;
    for (auto _ : state) {
        std::vector<std::unique_ptr<Pair>> pairs;
        const std::string message(10240, 'x');
        for (int i = 0; i < 200; ++i) {
            pairs.push_back(std::make_unique<Pair>(bed, bed.start()));
            pairs.back()->client->send(message);
            pairs.back()->server->send("250 2.0.0 Ok\r\n");
            pairs.back()->settle();
            pairs.back()->plain = {};
        }
        const std::size_t before = held;
        for (auto& pair : pairs)
            pair->client.reset();
        state.counters["octets"] = static_cast<double>(before - held) / 200;
        for (auto& pair : pairs)
            pair->server.reset();
    }
    if (!counting) state.SkipWithError("OpenSSL did not take the counting allocator");
}
BENCHMARK(IdleMemory)->Iterations(3);

}  // namespace
