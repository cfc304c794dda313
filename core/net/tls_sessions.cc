#include "core/net/tls_sessions.h"

#include <algorithm>
#include <utility>

#include <openssl/ssl.h>

namespace core {

void TlsSessions::keep(const std::string& key, SSL_SESSION* session) {
    if (SSL_SESSION_is_resumable(session) != 1) return;
    const int length = i2d_SSL_SESSION(session, nullptr);
    if (length <= 0 || static_cast<std::size_t>(length) > kMostOctetsEach) return;
    forget(key);
    const auto lifetime = std::chrono::seconds{SSL_SESSION_get_timeout(session)};
    Session kept{std::string(static_cast<std::size_t>(length), '\0'),
                 reactor_.now() + std::min<Duration>(lifetime, kMostAge)};
    auto* out = reinterpret_cast<unsigned char*>(kept.der.data());
    i2d_SSL_SESSION(session, &out);
    octets_ += key.size() + kept.der.size();
    sessions_.touch(key)->value = std::move(kept);
    while (octets_ > most_octets_)
        erase(sessions_.oldest());
}

SSL_SESSION* TlsSessions::find(const std::string& key) {
    const Entry entry = sessions_.entry_of(key);
    if (entry == sessions_.end()) return nullptr;
    if (entry->value.expires <= reactor_.now()) {
        erase(entry);
        return nullptr;
    }
    sessions_.use(entry);
    const std::string& der = entry->value.der;
    const auto* in = reinterpret_cast<const unsigned char*>(der.data());
    return d2i_SSL_SESSION(nullptr, &in, static_cast<long>(der.size()));
}

void TlsSessions::forget(const std::string& key) {
    if (const Entry entry = sessions_.entry_of(key); entry != sessions_.end()) erase(entry);
}

void TlsSessions::erase(Entry entry) {
    octets_ -= entry->name.size() + entry->value.der.size();
    sessions_.erase(entry);
}

}  // namespace core
