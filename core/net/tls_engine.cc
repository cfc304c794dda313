#include "core/net/tls_engine.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "core/base/address.h"
#include "core/base/assert.h"

namespace core {

// OpenSSL's end of the engine: reads from input_, writes to output_, waits for nothing.
struct EngineBio {
    static int read(BIO* bio, char* out, std::size_t length, std::size_t* done) {
        BIO_clear_retry_flags(bio);
        std::string_view& input = engine(bio).input_;
        if (input.empty()) {
            BIO_set_retry_read(bio);
            return 0;
        }
        *done = std::min(length, input.size());
        std::memcpy(out, input.data(), *done);
        input.remove_prefix(*done);
        return 1;
    }
    static int write(BIO* bio, const char* data, std::size_t length, std::size_t* done) {
        BIO_clear_retry_flags(bio);
        engine(bio).output_.append(data, length);
        *done = length;
        return 1;
    }
    // Everything else is unknown: another answer to some questions would pretend kernel TLS.
    static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH; }

    static BIO* make(TlsEngine& engine) {
        static BIO_METHOD* const method = [] {
            BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "engine");
            BIO_meth_set_read_ex(made, read);
            BIO_meth_set_write_ex(made, write);
            BIO_meth_set_ctrl(made, control);
            return made;
        }();
        BIO* bio = BIO_new(method);
        PH_ASSERT(bio != nullptr);
        BIO_set_data(bio, &engine);
        BIO_set_init(bio, 1);
        return bio;
    }

  private:
    static TlsEngine& engine(BIO* bio) { return *static_cast<TlsEngine*>(BIO_get_data(bio)); }
};

namespace {

TlsFault fault_of(long verify_result) {
    switch (verify_result) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return TlsFault::wrong_name;
        case X509_V_ERR_CERT_HAS_EXPIRED:
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return TlsFault::expired;
        case X509_V_ERR_DANE_NO_MATCH:
            return TlsFault::dane;
        default:
            return TlsFault::untrusted;
    }
}

bool is_address(const std::string& name) {
    return IpAddress::parse(name).has_value();
}

}  // namespace

std::string_view to_string(TlsFault fault) {
    constexpr std::string_view kWords[] = {"none",    "network",    "protocol", "untrusted",
                                           "expired", "wrong_name", "dane"};
    return kWords[static_cast<std::size_t>(fault)];
}

std::string TlsExpectation::fingerprint() const {
    std::string all = std::to_string(static_cast<int>(level)) + '|' + server_name;
    for (const std::string& name : names)
        all += '|' + name;
    for (const TlsaRecord& record : tlsa) {
        all += "|" + std::to_string(record.usage) + std::to_string(record.selector) +
               std::to_string(record.matching) + std::to_string(record.data.size()) + ":" +
               record.data;
    }
    return all;
}

TlsEngine::TlsEngine(TlsContext& context, const TlsClientStart& start)
    : context_(context), ssl_(SSL_new(context.native())) {
    PH_ASSERT(ssl_ != nullptr && !context.is_server());
    ERR_clear_error();
    SSL_set_app_data(ssl_, this);
    BIO* bio = EngineBio::make(*this);
    SSL_set_bio(ssl_, bio, bio);
    SSL_set_connect_state(ssl_);
    expect(start);
    resume(start);
    ERR_clear_error();
}

TlsEngine::TlsEngine(TlsContext& context) : context_(context), ssl_(SSL_new(context.native())) {
    PH_ASSERT(ssl_ != nullptr && context.is_server());
    SSL_set_app_data(ssl_, this);
    BIO* bio = EngineBio::make(*this);
    SSL_set_bio(ssl_, bio, bio);
    SSL_set_accept_state(ssl_);
}

TlsEngine::~TlsEngine() {
    handshake_over();
    // Without close_notify OpenSSL would call the session spoilt; in SMTP the end is said in words.
    SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl_);
}

void TlsEngine::expect(const TlsClientStart& start) {
    const TlsExpectation& expectation = start.expectation;
    const bool sni = !expectation.server_name.empty() && !is_address(expectation.server_name);
    if (sni) SSL_set_tlsext_host_name(ssl_, expectation.server_name.c_str());
    X509_VERIFY_PARAM_set_time(
        SSL_get0_param(ssl_),
        std::chrono::system_clock::to_time_t(
            std::chrono::time_point_cast<std::chrono::system_clock::duration>(start.now)));
    const bool dane = expectation.level == TlsLevel::dane && expect_dane(expectation);
    // A CN stands in for a missing DNS-ID under DANE only (RFC 7672 section 3.2.3, RFC 9525).
    SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                (dane ? 0U : X509_CHECK_FLAG_NEVER_CHECK_SUBJECT));
    bool first = !dane;  // the base domain is the first name already
    named_ = dane || !expectation.names.empty();
    for (const std::string& name : expectation.names) {
        if (std::exchange(first, false)) {
            SSL_set1_host(ssl_, name.c_str());
        } else if (!is_address(name)) {
            SSL_add1_host(ssl_, name.c_str());
        }
    }
    const bool must = dane || expectation.level == TlsLevel::pkix;
    SSL_set_verify(ssl_, must ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    // Where any certificate will do, an old server's weaker keys beat clear text.
    SSL_set_security_level(ssl_, must ? 2 : 1);
}

// False: no record can be used.
bool TlsEngine::expect_dane(const TlsExpectation& expectation) {
    if (SSL_dane_enable(ssl_, expectation.server_name.c_str()) <= 0) return false;
    SSL_dane_set_flags(ssl_, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    std::size_t usable = 0;
    for (const TlsaRecord& record : expectation.tlsa) {
        if (record.usage != 2 && record.usage != 3) continue;  // RFC 7672 section 3.1.3
        const auto* data = reinterpret_cast<const unsigned char*>(record.data.data());
        if (SSL_dane_tlsa_add(ssl_, record.usage, record.selector, record.matching, data,
                              record.data.size()) > 0) {
            ++usable;
        }
    }
    return usable > 0;
}

void TlsEngine::resume(const TlsClientStart& start) {
    sessions_ = start.sessions;
    if (sessions_ == nullptr) return;
    session_key_ = start.session_key + '|' + start.expectation.fingerprint();
    if (SSL_SESSION* session = sessions_->find(session_key_)) {
        SSL_set_session(ssl_, session);
        SSL_SESSION_free(session);
    }
}

// OpenSSL calls it when the server gave us a session (1.3: after the handshake).
int TlsEngine::keep_session(SSL* ssl, SSL_SESSION* session) {
    auto& engine = *static_cast<TlsEngine*>(SSL_get_app_data(ssl));
    if (engine.sessions_ != nullptr) engine.sessions_->keep(engine.session_key_, session);
    return 0;  // the session stays OpenSSL's
}

void TlsEngine::start() {
    ERR_clear_error();
    handshake();
}

void TlsEngine::handshake() {
    const int result = SSL_do_handshake(ssl_);
    if (result == 1) {
        state_ = State::open;
    } else if (SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ) {
        note_failure();
    }
}

void TlsEngine::count_handshake(std::size_t octets) {
    if (state_ != State::handshaking) return handshake_over();
    handshake_octets_ += octets;
    context_.handshake_octets_ += octets;
    if (handshake_octets_ > kMostHandshakeOctets) {
        fail(TlsFault::protocol, "the handshake is too long");
    } else if (handshake_octets_ > kModestHandshake && context_.handshake_octets_ > kMostOfAll) {
        // Our trouble, not a fault of its TLS: no reason for clear text.
        fail(TlsFault::network, "no room for a long handshake at the moment");
    }
    if (state_ != State::handshaking) handshake_over();
}

void TlsEngine::handshake_over() {
    PH_ASSERT(context_.handshake_octets_ >= handshake_octets_);
    context_.handshake_octets_ -= std::exchange(handshake_octets_, 0);
}

void TlsEngine::receive(std::string_view ciphertext, std::string& plaintext) {
    if (state_ == State::failed || state_ == State::closed) return;
    ERR_clear_error();
    input_ = ciphertext;
    if (state_ == State::handshaking) {
        handshake();
        count_handshake(ciphertext.size());
    }
    std::array<char, TlsContext::kRecord>& scratch = context_.scratch();
    while (state_ == State::open) {
        std::size_t length = 0;
        const int result = SSL_read_ex(ssl_, scratch.data(), scratch.size(), &length);
        if (result == 1) {
            plaintext.append(scratch.data(), length);
            continue;
        }
        const int error = SSL_get_error(ssl_, result);
        if (error == SSL_ERROR_WANT_READ) break;
        if (error == SSL_ERROR_ZERO_RETURN) {
            state_ = State::closed;
        } else {
            note_failure();
        }
    }
    input_ = {};
}

void TlsEngine::send(std::string_view plaintext) {
    if (state_ == State::failed || plaintext.empty()) return;
    PH_ASSERT(state_ != State::handshaking && plaintext.size() <= TlsContext::kRecord);
    ERR_clear_error();
    std::size_t written = 0;
    const int result = SSL_write_ex(ssl_, plaintext.data(), plaintext.size(), &written);
    if (result != 1) note_failure();
}

void TlsEngine::close() {
    if (state_ == State::handshaking || state_ == State::failed) return;
    ERR_clear_error();
    SSL_shutdown(ssl_);
    ERR_clear_error();
}

void TlsEngine::note_failure() {
    const bool handshaking = state_ == State::handshaking;
    std::string errors = take_tls_errors();
    if (errors.empty()) errors = "broken off";
    const long verified = SSL_get_verify_result(ssl_);
    const bool by_certificate =
        handshaking && verified != X509_V_OK && SSL_get_verify_mode(ssl_) != SSL_VERIFY_NONE;
    if (by_certificate) {
        fail(fault_of(verified), X509_verify_cert_error_string(verified));
    } else {
        fail(TlsFault::protocol, std::move(errors));
    }
}

void TlsEngine::fail(TlsFault fault, std::string reason) {
    if (state_ == State::handshaking && sessions_ != nullptr) sessions_->forget(session_key_);
    state_ = State::failed;
    fault_ = fault;
    reason_ = std::move(reason);
}

std::string_view TlsEngine::protocol() const {
    return SSL_get_version(ssl_);
}

std::string_view TlsEngine::cipher() const {
    return SSL_get_cipher_name(ssl_);
}

bool TlsEngine::resumed() const {
    return SSL_session_reused(ssl_) == 1;
}

bool TlsEngine::authenticated() const {
    return named_ && SSL_get0_peer_certificate(ssl_) != nullptr &&
           SSL_get_verify_result(ssl_) == X509_V_OK;
}

TlsFault TlsEngine::certificate_fault() const {
    if (authenticated()) return TlsFault::none;
    return fault_of(SSL_get_verify_result(ssl_));  // untrusted when there is no name to look for
}

}  // namespace core
