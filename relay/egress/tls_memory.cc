#include "relay/egress/tls_memory.h"

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
    entries_.push_front({host, false, {}});
    by_host_.emplace(entries_.front().host, entries_.begin());
    return entries_.front();
}

bool TlsMemory::avoids(const std::string& host, core::Instant now) {
    const Entry* entry = find(host);
    return entry != nullptr && entry->avoid_until > now;
}

void TlsMemory::note_broken(const std::string& host, core::Instant now) {
    touch(host).avoid_until = now + kAvoidFor;
}

bool TlsMemory::offered_before(const std::string& host) {
    const Entry* entry = find(host);
    return entry != nullptr && entry->offered;
}

void TlsMemory::note_offered(const std::string& host) {
    touch(host).offered = true;
}

}  // namespace relay
