#include "relay/delivery/tls_memory.h"

namespace relay {

bool TlsMemory::avoids(const std::string& host, core::Instant now) {
    Known* entry = hosts_.find(host);
    return entry != nullptr && entry->broken.ask(now);
}

bool TlsMemory::is_avoided(const std::string& host, core::Instant now) {
    const Known* entry = hosts_.find(host);
    return entry != nullptr && entry->broken.holds(now);
}

core::Duration TlsMemory::note_broken(const std::string& host, Fault fault, core::Instant now) {
    Known& entry = hosts_.touch(host);
    const bool trusted = entry.worked && now - *entry.worked <= kTrustFor;
    if (fault == Fault::fruitless && trusted) return {};
    if (fault == Fault::fruitless || (fault == Fault::lost && trusted)) {
        if (entry.losses > 0 && now - entry.lost < kApart) return {};  // the same fact
        entry.lost = now;
        if (++entry.losses < kEnough) return {};
        entry.losses = kEnough - 1;  // the one that tries again is enough
    }
    return entry.broken.learn(now);
}

bool TlsMemory::note_works(const std::string& host, core::Instant now) {
    Known& entry = hosts_.touch(host);
    entry.worked = now;
    entry.losses = 0;
    return entry.broken.lift(now);
}

bool TlsMemory::offered_before(const std::string& host) {
    const Known* entry = hosts_.find(host);
    return entry != nullptr && entry->offered;
}

void TlsMemory::note_offered(const std::string& host) {
    hosts_.touch(host).offered = true;
}

}  // namespace relay
