// SourceTotals: what one shard of a source counted; merged after the run, printed as JSON.
// Written by its shard only; read once the shards have ended.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "bench/load/latency_histogram.h"

namespace bench {

struct SourceTotals {
    std::uint64_t accepted = 0;             // messages with a final 2xx
    std::uint64_t accepted_recipients = 0;  // of those messages
    std::uint64_t rejected = 0;             // messages refused, by a 4xx or 5xx
    std::uint64_t rejected_recipients = 0;  // of accepted messages
    std::uint64_t unknown = 0;              // sent, but the connection broke before the answer
    std::uint64_t unsent = 0;  // every session had given up; set by the program at the end
    std::uint64_t connections = 0;
    std::uint64_t octets = 0;                     // of accepted messages
    std::map<int, std::uint64_t> refusals;        // by reply code
    std::map<std::string, std::uint64_t> errors;  // of connections
    LatencyHistogram latency;

    void merge(const SourceTotals& other);
    // {"messages": …, "accepted": …, …, "latency_ms": {"p50": …}, "refusals": {"451": …}}
    std::string to_json(std::uint64_t messages, double seconds) const;
};

}  // namespace bench
