// TlsSessions: what a shard's clients need to resume TLS sessions, by key. A key names everything
// that two connections must have in common: host, source, context and expectation, so that a
// session that was begun without a look at the certificate never stands in for a verified one.
// Kept as DER: a few kilobytes each, without OpenSSL's objects. One shard.
// Limits: kMostOctets in all, the longest unused leaves first; kMostAge each, or less if the server
// says so.
#pragma once

#include <cstddef>
#include <string>

#include "core/base/lru_map.h"
#include "core/runtime/reactor.h"

struct ssl_session_st;
using SSL_SESSION = ssl_session_st;

namespace core {

class TlsSessions {
  public:
    static constexpr std::size_t kMostOctets = 16U << 20;
    static constexpr std::size_t kMostOctetsEach = 16U << 10;  // a larger one is not worth it
    static constexpr Duration kMostAge = std::chrono::hours{1};

    explicit TlsSessions(const Reactor& reactor, std::size_t most_octets = kMostOctets)
        : reactor_(reactor), most_octets_(most_octets) {}

    void keep(const std::string& key, SSL_SESSION* session);
    // Null, or the caller's to free.
    SSL_SESSION* find(const std::string& key);
    void forget(const std::string& key);
    std::size_t size() const { return sessions_.size(); }
    std::size_t octets() const { return octets_; }

  private:
    struct Session {
        std::string der;
        Instant expires{};
    };
    using Entry = LruMap<Session>::Iterator;

    void erase(Entry entry);

    const Reactor& reactor_;
    std::size_t most_octets_;
    std::size_t octets_ = 0;
    LruMap<Session> sessions_;
};

}  // namespace core
