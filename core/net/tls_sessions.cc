#include "core/net/tls_sessions.h"

#include <algorithm>
#include <iterator>

#include <openssl/ssl.h>

namespace core {

void TlsSessions::keep(const std::string& key, SSL_SESSION* session) {
    if (SSL_SESSION_is_resumable(session) != 1) return;
    const int length = i2d_SSL_SESSION(session, nullptr);
    if (length <= 0 || static_cast<std::size_t>(length) > kMostOctetsEach) return;
    forget(key);
    const auto lifetime = std::chrono::seconds{SSL_SESSION_get_timeout(session)};
    Entry entry{key, std::string(static_cast<std::size_t>(length), '\0'),
                reactor_.now() + std::min<Duration>(lifetime, kMostAge)};
    auto* out = reinterpret_cast<unsigned char*>(entry.der.data());
    i2d_SSL_SESSION(session, &out);
    octets_ += entry.key.size() + entry.der.size();
    entries_.push_front(std::move(entry));
    by_key_.emplace(entries_.front().key, entries_.begin());
    while (octets_ > most_octets_)
        erase(std::prev(entries_.end()));
}

SSL_SESSION* TlsSessions::find(const std::string& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    const Entries::iterator entry = found->second;
    if (entry->expires <= reactor_.now()) {
        erase(entry);
        return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, entry);
    const auto* in = reinterpret_cast<const unsigned char*>(entry->der.data());
    return d2i_SSL_SESSION(nullptr, &in, static_cast<long>(entry->der.size()));
}

void TlsSessions::forget(const std::string& key) {
    if (const auto found = by_key_.find(key); found != by_key_.end()) erase(found->second);
}

void TlsSessions::erase(Entries::iterator entry) {
    octets_ -= entry->key.size() + entry->der.size();
    by_key_.erase(entry->key);
    entries_.erase(entry);
}

}  // namespace core
