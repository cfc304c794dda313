#include "relay/delivery/host_memory.h"

#include <algorithm>
#include <utility>

namespace relay {

// ---- does it answer

HostMemory::Rest HostMemory::ask(const std::string& host, core::Instant now,
                                 core::Instant giving_up) {
    Known* entry = hosts_.find(host);
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
    Known& entry = hosts_.touch(host);
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
    Known& entry = hosts_.touch(host);
    entry.worked = now;
    if (entry.failures == 0) return;
    entry.failures = 0;
    entry.rest_until = entry.tried_until = {};
    entry.why = {};
}

bool HostMemory::worked_lately(const std::string& host, core::Instant now) {
    const Known* entry = hosts_.find(host);
    return entry != nullptr && entry->worked && now - *entry->worked <= kLately;
}

HostMemory::Habits* HostMemory::known_habits(const std::string& host) {
    Known* entry = hosts_.find(host);
    return entry == nullptr ? nullptr : &entry->habits;
}

}  // namespace relay
