#include "relay/delivery/tls_memory.h"

namespace relay {

TlsMemory::Entry* TlsMemory::find(const std::string& host) {
    const auto found = by_host_.find(host);
    return found == by_host_.end() ? nullptr : &*found->second;
}

TlsMemory::Entry& TlsMemory::touch(const std::string& host) {
    if (const auto found = by_host_.find(host); found != by_host_.end()) {
        entries_.splice(entries_.begin(), entries_, found->second);
        return entries_.front();
    }
    if (entries_.size() == kMostHosts) {
        by_host_.erase(entries_.back().host);
        entries_.pop_back();
    }
    entries_.push_front({.host = host});
    by_host_.emplace(entries_.front().host, entries_.begin());
    return entries_.front();
}

bool TlsMemory::avoids(const std::string& host, core::Instant now) {
    Entry* entry = find(host);
    return entry != nullptr && entry->broken.ask(now);
}

bool TlsMemory::is_avoided(const std::string& host, core::Instant now) {
    const Entry* entry = find(host);
    return entry != nullptr && entry->broken.holds(now);
}

core::Duration TlsMemory::note_broken(const std::string& host, Fault fault, core::Instant now) {
    Entry& entry = touch(host);
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
    Entry& entry = touch(host);
    entry.worked = now;
    entry.losses = 0;
    return entry.broken.lift(now);
}

bool TlsMemory::offered_before(const std::string& host) {
    const Entry* entry = find(host);
    return entry != nullptr && entry->offered;
}

void TlsMemory::note_offered(const std::string& host) {
    touch(host).offered = true;
}

}  // namespace relay
