// What a shard's resolver counted, as plain numbers: the shard adds, the metrics read at scrape.
// lookups[type][status] counts questions sent to the servers, not those the cache answered.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "dns/wire/answer.h"

namespace dns {

// The types that have a counter of their own; everything else is "other". As label values: lower
// case.
inline constexpr std::array<std::string_view, 6> kCountedTypes{"a",   "aaaa", "mx",
                                                               "txt", "tlsa", "other"};
inline constexpr std::size_t kStatuses = 5;  // of DnsStatus, in its order

constexpr std::size_t counted_type(RecordType type) {
    switch (type) {
        case RecordType::a:
            return 0;
        case RecordType::aaaa:
            return 1;
        case RecordType::mx:
            return 2;
        case RecordType::txt:
            return 3;
        case RecordType::tlsa:
            return 4;
        default:
            return 5;
    }
}

struct DnsCounters {
    std::array<std::array<std::uint64_t, kStatuses>, kCountedTypes.size()> lookups{};
    std::uint64_t cache_hits = 0;
    std::uint64_t cache_misses = 0;
    std::uint64_t joined = 0;   // waited for a lookup that was under way already
    std::uint64_t delayed = 0;  // waited because too many lookups were under way
    std::uint64_t shed = 0;     // refused because too many were waiting
    std::uint64_t evicted = 0;  // entries given up before their time
    std::uint64_t entries = 0;  // in the cache now

    void count(RecordType type, DnsStatus status) {
        ++lookups[counted_type(type)][std::to_underlying(status)];
    }
};

}  // namespace dns
