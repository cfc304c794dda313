#include "relay/egress/host_memory.h"

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

void HostMemory::failed(const std::string& host, core::Instant now, Disposition why) {
    Entry& entry = touch(host);
    entry.why = std::move(why);
    entry.tried_until = {};
    // Several that tried together and failed together are one failure.
    if (entry.rest_until > now) return;
    entry.rest_until =
        now + std::min<core::Duration>(pauses_.longest,
                                       pauses_.first * (1U << std::min(entry.failures, 10U)));
    ++entry.failures;
}

void HostMemory::answers(const std::string& host) {
    Entry* entry = find(host);
    if (entry == nullptr || entry->failures == 0) return;
    entry->failures = 0;
    entry->rest_until = entry->tried_until = {};
    entry->why = {};
}

// ---- habits

void HostMemory::closed_silently(const std::string& host, std::size_t messages, core::Instant now) {
    if (messages == 0) return;
    Entry& entry = touch(host);
    entry.closed_so = entry.closed_behind == messages ? entry.closed_so + 1 : 1;
    entry.closed_behind = messages;
    if (entry.closed_so >= kSameTwice) entry.closes_until = now + kBelieveFor;
}

std::size_t HostMemory::most_messages(const std::string& host, core::Instant now) {
    const Entry* entry = find(host);
    return entry != nullptr && entry->closes_until > now ? entry->closed_behind : 0;
}

void HostMemory::refuses_parameters(const std::string& host, core::Instant now) {
    touch(host).sparing_until = now + kBelieveFor;
}

bool HostMemory::spare_parameters(const std::string& host, core::Instant now) {
    const Entry* entry = find(host);
    return entry != nullptr && entry->sparing_until > now;
}

}  // namespace relay
