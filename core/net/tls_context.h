// TlsContext: what TLS connections of one kind share: protocol versions, trusted roots, our own
// certificate (OpenSSL's SSL_CTX). Made once per shard and purpose, because OpenSSL's counters in
// it are locked; outlives its engines. TLS 1.2 and up, no compression, no renegotiation, no early
// data. Also lends its engines one scratch record, so that an idle connection holds none.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/types.h>

#include "core/base/result.h"

namespace core {

inline constexpr std::size_t kMaxPemOctets = 16U << 20;  // of a file of certificates or a key

// PEM text: our chain, leaf first, and its key.
struct TlsIdentity {
    std::string certificate;
    std::string private_key;

    static Result<TlsIdentity> load(const std::string& certificate_file,
                                    const std::string& key_file);
    // Both parse, and belong together.
    Result<void> check() const;
};

// Trusted roots, shared by all contexts and shards (OpenSSL locks them; only verifying looks): a
// bundle is a megabyte or two in memory.
class TlsRoots {
  public:
    // PEM text. Without a certificate in it: an error.
    static Result<TlsRoots> parse(std::string_view pem);
    // The failure stands after the file's name and a colon.
    static Result<TlsRoots> load(const std::filesystem::path& file);
    // The system's bundle; empty when there is none.
    static std::string system_bundle();
    X509_STORE* native() const { return store_.get(); }

  private:
    std::shared_ptr<X509_STORE> store_;
};

class TlsContext {
  public:
    static constexpr std::size_t kRecord = 16384;  // octets of plaintext in a full record

    // Without roots nothing can be verified. identity null: no client certificate.
    static Result<std::unique_ptr<TlsContext>> client(const TlsRoots* roots,
                                                      const TlsIdentity* identity);
    static Result<std::unique_ptr<TlsContext>> server(const TlsIdentity& identity);
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;
    ~TlsContext();

    SSL_CTX* native() { return context_; }
    bool is_server() const { return server_; }
    std::array<char, kRecord>& scratch() { return scratch_; }
    // Input of all handshakes that are under way; OpenSSL keeps about as much.
    std::size_t handshake_octets() const { return handshake_octets_; }

  private:
    friend class TlsEngine;
    TlsContext(SSL_CTX* context, bool server) : context_(context), server_(server) {}
    Result<void> use(const TlsIdentity& identity);

    SSL_CTX* context_;
    bool server_;
    std::size_t handshake_octets_ = 0;
    std::array<char, kRecord> scratch_;
};

// What OpenSSL has to say, for people; empties its queue of errors of this thread.
std::string take_tls_errors();

}  // namespace core
