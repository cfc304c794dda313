#include "tests/unit/core/net/certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "core/base/address.h"
#include "core/base/assert.h"

namespace core::test {

namespace {

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long length = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(length));
    BIO_free(bio);
    return text;
}

std::string pem_of(X509* certificate) {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    return text_of(bio);
}

std::string pem_of(EVP_PKEY* key) {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    return text_of(bio);
}

std::time_t seconds_of(WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    PH_ASSERT(extension != nullptr);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

std::string alternative_names(const std::vector<std::string>& names) {
    std::string all;
    for (const std::string& name : names) {
        if (!all.empty()) all += ',';
        all += (IpAddress::parse(name) ? "IP:" : "DNS:") + name;
    }
    return all;
}

// issuer null: by itself.
X509* make(const CertificateWish& wish, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key,
           bool authority) {
    static long serial = 1;
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    ASN1_TIME_set(X509_getm_notBefore(certificate), seconds_of(wish.not_before));
    ASN1_TIME_set(X509_getm_notAfter(certificate), seconds_of(wish.not_after));
    X509_NAME* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1,
                               -1, 0);
    X509* by = issuer == nullptr ? certificate : issuer;
    X509_set_issuer_name(certificate, X509_get_subject_name(by));
    X509_set_pubkey(certificate, key);
    extend(certificate, by, NID_basic_constraints, authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (!authority && !wish.names.empty()) {
        extend(certificate, by, NID_subject_alt_name, alternative_names(wish.names));
    }
    PH_ASSERT(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
    return certificate;
}

}  // namespace

Authority::Authority() : key_(EVP_EC_gen("P-256")) {
    certificate_ = make({.common_name = "an authority"}, key_, nullptr, key_, true);
    pem_ = pem_of(certificate_);
}

Authority::~Authority() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
}

TlsIdentity Authority::issue(const CertificateWish& wish) const {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* leaf = make(wish, key, certificate_, key_, false);
    TlsIdentity identity{pem_of(leaf) + pem_, pem_of(key)};
    X509_free(leaf);
    EVP_PKEY_free(key);
    return identity;
}

TlsIdentity Authority::self_signed(const CertificateWish& wish) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* leaf = make(wish, key, nullptr, key, false);
    TlsIdentity identity{pem_of(leaf), pem_of(key)};
    X509_free(leaf);
    EVP_PKEY_free(key);
    return identity;
}

TlsRoots Authority::roots() const {
    auto roots = TlsRoots::parse(pem_);
    PH_ASSERT(roots.has_value());
    return *roots;
}

std::string association(const TlsIdentity& identity, std::size_t place, int selector,
                        int matching) {
    BIO* bio =
        BIO_new_mem_buf(identity.certificate.data(), static_cast<int>(identity.certificate.size()));
    X509* certificate = nullptr;
    for (std::size_t i = 0; i <= place; ++i) {
        X509_free(certificate);
        certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
        PH_ASSERT(certificate != nullptr);
    }
    unsigned char* der = nullptr;
    const int length = selector == 0 ? i2d_X509(certificate, &der)
                                     : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    std::string octets(reinterpret_cast<char*>(der), static_cast<std::size_t>(length));
    if (matching != 0) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned int size = 0;
        EVP_Digest(octets.data(), octets.size(), digest, &size,
                   matching == 1 ? EVP_sha256() : EVP_sha512(), nullptr);
        octets.assign(reinterpret_cast<char*>(digest), size);
    }
    OPENSSL_free(der);
    X509_free(certificate);
    BIO_free(bio);
    return octets;
}

}  // namespace core::test
