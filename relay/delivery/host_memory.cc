#include "relay/delivery/host_memory.h"

#include <algorithm>
#include <utility>

namespace relay {

HostMemory::Entry* HostMemory::find(const std::string& host) {
    const auto found = by_host_.find(host);
    return found == by_host_.end() ? nullptr : &*found->second;
}

HostMemory::Entry& HostMemory::touch(const std::string& host) {
    if (const auto found = by_host_.find(host); found != by_host_.end()) {
        entries_.splice(entries_.begin(), entries_, found->second);
        return entries_.front();
    }
    if (entries_.size() == kMostHosts) {
        by_host_.erase(entries_.back().host);
        entries_.pop_back();
    }
    entries_.emplace_front().host = host;
    by_host_.emplace(entries_.front().host, entries_.begin());
    return entries_.front();
}

// ---- does it answer

HostMemory::Rest HostMemory::ask(const std::string& host, core::Instant now,
                                 core::Instant giving_up) {
    Entry* entry = find(host);
    if (entry == nullptr || entry->failures == 0) return {};
    if (entry->rest_until > now) {
        return {true, false, entry->rest_until, entry->failures, entry->why};
    }
    if (entry->tried_until > now) {
        return {true, true, entry->tried_until, entry->failures, entry->why};
    }
    entry->tried_until = giving_up;
    return {};
}

bool HostMemory::failed(const std::string& host, core::Instant now, Disposition why) {
    Entry& entry = touch(host);
    entry.why = std::move(why);
    entry.tried_until = {};
    if (entry.worked && now - *entry.worked <= kLately) return false;
    // Several that tried together and failed together are one failure.
    if (entry.rest_until > now) return false;
    entry.rest_until =
        now + std::min<core::Duration>(pauses_.longest,
                                       pauses_.first * (1U << std::min(entry.failures, 10U)));
    ++entry.failures;
    return true;
}

void HostMemory::answers(const std::string& host, core::Instant now) {
    Entry& entry = touch(host);
    entry.worked = now;
    if (entry.failures == 0) return;
    entry.failures = 0;
    entry.rest_until = entry.tried_until = {};
    entry.why = {};
}

bool HostMemory::worked_lately(const std::string& host, core::Instant now) {
    const Entry* entry = find(host);
    return entry != nullptr && entry->worked && now - *entry->worked <= kLately;
}

HostMemory::Habits* HostMemory::known_habits(const std::string& host) {
    Entry* entry = find(host);
    return entry == nullptr ? nullptr : &entry->habits;
}

}  // namespace relay
