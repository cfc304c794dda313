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

ProcessFacts process_facts();

}  // namespace metrics
