#include "core/net/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/base/text_file.h"
#include "core/net/tls_engine.h"

namespace core {

namespace {

template <auto Free>
struct Freer {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;

Bio reader_of(std::string_view text) {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Certificate next_certificate(BIO* bio) {
    return Certificate(PEM_read_bio_X509_AUX(bio, nullptr, nullptr, nullptr));
}

// A key that asks for a passphrase is a mistake: nobody is there to type it.
int no_passphrase(char*, int, int, void*) {
    return 0;
}

}  // namespace

std::string take_tls_errors() {
    std::string all;
    while (const unsigned long code = ERR_get_error()) {
        const char* reason = ERR_reason_error_string(code);
        if (!all.empty()) all += "; ";
        if (reason != nullptr) {
            all += reason;
        } else {
            char text[120];
            ERR_error_string_n(code, text, sizeof text);
            all += text;
        }
    }
    return all;
}

Result<TlsIdentity> TlsIdentity::load(const std::string& certificate_file,
                                      const std::string& key_file) {
    auto certificate = read_text_file(certificate_file, kMaxPemOctets);
    if (!certificate) return failure(certificate_file + ": " + certificate.error());
    auto key = read_text_file(key_file, kMaxPemOctets);
    if (!key) return failure(key_file + ": " + key.error());
    TlsIdentity identity{std::move(*certificate), std::move(*key)};
    if (auto sound = identity.check(); !sound) {
        return failure(certificate_file + ", " + key_file + ": " + sound.error());
    }
    return identity;
}

// Whether they are right is seen by using them.
Result<void> TlsIdentity::check() const {
    if (auto context = TlsContext::client(nullptr, this); !context) {
        return failure(context.error());
    }
    return {};
}

Result<TlsRoots> TlsRoots::parse(std::string_view pem) {
    ERR_clear_error();
    TlsRoots roots;
    roots.store_ = std::shared_ptr<X509_STORE>(X509_STORE_new(), X509_STORE_free);
    const Bio bio = reader_of(pem);
    std::size_t count = 0;
    while (const Certificate certificate = next_certificate(bio.get())) {
        if (X509_STORE_add_cert(roots.store_.get(), certificate.get()) == 1) ++count;
    }
    take_tls_errors();  // the end of the text is one
    if (count == 0) return failure("has no certificate in PEM form");
    return roots;
}

Result<TlsRoots> TlsRoots::load(const std::filesystem::path& file) {
    const auto text = read_text_file(file, kMaxPemOctets);
    if (!text) return failure(text.error());
    return parse(*text);
}

std::string TlsRoots::system_bundle() {
    for (const char* file : {"/etc/ssl/certs/ca-certificates.crt", X509_get_default_cert_file()}) {
        if (::access(file, R_OK) == 0) return file;
    }
    return {};
}

Result<std::unique_ptr<TlsContext>> TlsContext::client(const TlsRoots* roots,
                                                       const TlsIdentity* identity) {
    ERR_clear_error();
    std::unique_ptr<TlsContext> made(new TlsContext(SSL_CTX_new(TLS_client_method()), false));
    SSL_CTX* context = made->context_;
    PH_ASSERT(context != nullptr);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, &TlsEngine::keep_session);
    SSL_CTX_dane_enable(context);
    if (roots != nullptr) SSL_CTX_set1_cert_store(context, roots->native());
    if (identity != nullptr) {
        if (auto used = made->use(*identity); !used) return failure(used.error());
    }
    return made;
}

Result<std::unique_ptr<TlsContext>> TlsContext::server(const TlsIdentity& identity) {
    ERR_clear_error();
    std::unique_ptr<TlsContext> made(new TlsContext(SSL_CTX_new(TLS_server_method()), true));
    SSL_CTX* context = made->context_;
    PH_ASSERT(context != nullptr);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(
        context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    // Tickets keep sessions on the client's side; early data is never offered.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    if (auto used = made->use(identity); !used) return failure(used.error());
    return made;
}

Result<void> TlsContext::use(const TlsIdentity& identity) {
    const auto wrong = [](const char* what) {
        const std::string errors = take_tls_errors();
        return failure(errors.empty() ? what : what + (": " + errors));
    };
    const Bio chain = reader_of(identity.certificate);
    const Certificate leaf = next_certificate(chain.get());
    if (leaf == nullptr) return wrong("no certificate in PEM form");
    if (SSL_CTX_use_certificate(context_, leaf.get()) != 1) return wrong("certificate");
    while (const Certificate next = next_certificate(chain.get()))
        SSL_CTX_add1_chain_cert(context_, next.get());
    ERR_clear_error();
    const Bio text = reader_of(identity.private_key);
    const Key key(PEM_read_bio_PrivateKey(text.get(), nullptr, no_passphrase, nullptr));
    if (key == nullptr) return wrong("no private key in PEM form without a passphrase");
    if (SSL_CTX_use_PrivateKey(context_, key.get()) != 1 ||
        SSL_CTX_check_private_key(context_) != 1) {
        return wrong("the private key is not the certificate's");
    }
    return {};
}

TlsContext::~TlsContext() {
    SSL_CTX_free(context_);
}

}  // namespace core
