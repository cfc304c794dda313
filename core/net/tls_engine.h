// TlsEngine: one TLS connection as a machine without I/O, either side. Ciphertext goes in as it
// comes, in any pieces, and is taken whole; plaintext comes out; what must be sent collects in
// output. Owned by its stream, on one shard; the context outlives it.
//
//   engine.start();                        // a client's first flight is in the output
//   engine.receive(ciphertext, plaintext); // appends plaintext; look at state() and the output
//   engine.send(plaintext);                // open only; at most TlsContext::kRecord octets
//   engine.close();                        // close_notify
//
// state() failed: fault() and reason() say why, and an alert may be in the output. An idle engine
// holds no buffers. Limits: a handshake takes at most kMostHandshakeOctets of input, and once those
// of a context have taken kMostOfAll together, kModestHandshake: what servers send there is held,
// and it is before anybody knows who they are.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <openssl/types.h>

#include "core/base/time.h"
#include "core/net/tls_context.h"
#include "core/net/tls_expectation.h"
#include "core/net/tls_sessions.h"

namespace core {

// Why a connection failed, as far as it matters to policy and reports (RFC 8460 section 4.3).
enum class TlsFault : std::uint8_t {
    none,
    network,    // the stream below broke or timed out
    protocol,   // no common ground, an alert, or no TLS at all
    untrusted,  // the chain
    expired,    // or not valid yet
    wrong_name,
    dane,  // no TLSA record matches
};
std::string_view to_string(TlsFault fault);

struct TlsClientStart {
    TlsExpectation expectation;
    WallTime now{};                   // certificates are judged by this time
    TlsSessions* sessions = nullptr;  // to resume from and keep in; none: neither
    std::string session_key;          // host, source, context; the expectation is added here
};

class TlsEngine {
  public:
    enum class State : std::uint8_t { handshaking, open, closed, failed };
    static constexpr std::size_t kMostHandshakeOctets = 256U << 10;
    static constexpr std::size_t kMostOfAll = 16U << 20;
    static constexpr std::size_t kModestHandshake = 32U << 10;

    TlsEngine(TlsContext& context, const TlsClientStart& start);
    explicit TlsEngine(TlsContext& context);  // a server's
    TlsEngine(const TlsEngine&) = delete;
    TlsEngine& operator=(const TlsEngine&) = delete;
    ~TlsEngine();

    void start();
    void receive(std::string_view ciphertext, std::string& plaintext);
    void send(std::string_view plaintext);
    void close();

    bool has_output() const { return !output_.empty(); }
    std::string take_output() { return std::exchange(output_, {}); }

    State state() const { return state_; }
    TlsFault fault() const { return fault_; }
    const std::string& reason() const { return reason_; }
    TlsContext& context() { return context_; }

    // Once open. Names live as long as the program.
    std::string_view protocol() const;  // "TLSv1.3"
    std::string_view cipher() const;    // "TLS_AES_256_GCM_SHA384"
    bool resumed() const;
    // The certificate has what the expectation's level asks, or would have stood pkix when the
    // level asks nothing.
    bool authenticated() const;
    // What stands in the way of that; none: nothing.
    TlsFault certificate_fault() const;

  private:
    friend class TlsContext;
    friend struct EngineBio;
    static int keep_session(SSL* ssl, SSL_SESSION* session);

    void expect(const TlsClientStart& start);
    bool expect_dane(const TlsExpectation& expectation);
    void resume(const TlsClientStart& start);
    void handshake();
    void count_handshake(std::size_t octets);
    void handshake_over();
    void note_failure();
    void fail(TlsFault fault, std::string reason);

    TlsContext& context_;
    SSL* ssl_;
    State state_ = State::handshaking;
    TlsFault fault_ = TlsFault::none;
    std::string reason_;
    std::string_view input_;  // while in receive()
    std::string output_;
    std::size_t handshake_octets_ = 0;
    bool named_ = false;  // there is a name to hold against the certificate
    TlsSessions* sessions_ = nullptr;
    std::string session_key_;
};

}  // namespace core
