// Certificates for tests, made on the spot: an authority and what it signs. P-256 keys, so that
// making one takes a fraction of a millisecond. Times are wall times; names become DNS-IDs, or IP
// addresses when they look like one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <openssl/types.h>

#include "core/base/time.h"
#include "core/net/tls_context.h"

namespace core::test {

struct CertificateWish {
    std::vector<std::string> names{"mx.example"};
    std::string common_name = "a server";
    WallTime not_before{std::chrono::seconds{1'700'000'000}};
    WallTime not_after{std::chrono::seconds{4'000'000'000}};
};

class Authority {
  public:
    Authority();
    ~Authority();
    Authority(const Authority&) = delete;
    Authority& operator=(const Authority&) = delete;

    // Leaf and authority in one chain.
    TlsIdentity issue(const CertificateWish& wish = {}) const;
    static TlsIdentity self_signed(const CertificateWish& wish = {});
    const std::string& pem() const { return pem_; }
    TlsRoots roots() const;

  private:
    X509* certificate_ = nullptr;
    EVP_PKEY* key_ = nullptr;
    std::string pem_;
};

// What a TLSA record says of the certificate at this place in an identity's chain.
// selector: 0 the certificate, 1 its key; matching: 0 whole, 1 SHA-256, 2 SHA-512.
std::string association(const TlsIdentity& identity, std::size_t place, int selector, int matching);

}  // namespace core::test
