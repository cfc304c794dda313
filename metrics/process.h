// What the kernel knows about this process, from /proc: read at a scrape. A value that cannot be
// read is 0.
#pragma once

#include <cstdint>

namespace metrics {

struct ProcessFacts {
    double cpu_seconds = 0;
    double start_time_seconds = 0;  // since 1970
    std::uint64_t resident_bytes = 0;
    std::uint64_t virtual_bytes = 0;
    std::uint64_t open_fds = 0;
    std::uint64_t max_fds = 0;
};

// A scrape must stay short with a million descriptors open: the kernel says how many there are
// (from Linux 6.2 on, as the size of /proc/self/fd). Where it does not, so many are listed and
// counted, and beyond them the answer is known_fds, what the caller knows to be open.
inline constexpr std::uint64_t kMostListed = 4096;
ProcessFacts process_facts(std::uint64_t known_fds = 0);
// Counts by listing, up to `most` of them.
std::uint64_t listed_fds(std::uint64_t most);

}  // namespace metrics
