// Exposition: the answer to GET /metrics. Sums what the shards counted at the moment of the scrape;
// nothing is kept between scrapes and no shard is disturbed. Any thread; what is passed must live
// through the call. A millisecond or so with 200 destinations on 64 shards.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"
#include "metrics/shard_metrics.h"

namespace metrics {

inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

enum class SpoolState : std::uint8_t { off, ready, full, failed };

// What is true of the process as a whole.
struct NodeFacts {
    std::string_view version;
    std::string_view io_backend = "io_uring";
    std::string_view io_backend_reason;  // why this one: "configured", "probed", "EPERM"
    std::uint64_t memory_limit_bytes = 0;
    SpoolState spool_state = SpoolState::off;
    std::uint64_t spool_bytes = 0;
    std::uint64_t spool_free_bytes = 0;
    std::uint64_t events_written = 0;
    std::uint64_t events_dropped = 0;
    std::vector<std::string> tenant_names{"default"};  // by number; the first kMostTenantLabels - 1
    std::uint64_t known_fds = 0;  // open, at least: where the kernel does not count them
};

// destination_names: by destination number, "other" first; those without a name are not shown.
std::string render(std::span<const ShardMetrics* const> shards,
                   const std::vector<std::string>& destination_names, const NodeFacts& node,
                   core::WallTime now);

}  // namespace metrics
