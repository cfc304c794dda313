#include "metrics/process.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

#include <sys/resource.h>
#include <unistd.h>

namespace metrics {
namespace {

// The fields of /proc/self/stat from the third on: the second is a name that may hold anything but
// ends in the last parenthesis.
std::istringstream stat_fields() {
    std::ifstream in("/proc/self/stat");
    std::string line;
    std::getline(in, line);
    const std::size_t name_end = line.rfind(')');
    return std::istringstream(name_end == std::string::npos ? "" : line.substr(name_end + 1));
}

double boot_time() {
    std::ifstream in("/proc/stat");
    for (std::string key; in >> key;) {
        double seconds = 0;
        if (key == "btime" && in >> seconds) return seconds;
        std::getline(in, key);
    }
    return 0;
}

}  // namespace

ProcessFacts process_facts() {
    ProcessFacts facts;
    std::istringstream fields = stat_fields();
    std::string value;
    const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
    for (int field = 3; fields >> value; ++field) {
        if (field == 14 || field == 15) facts.cpu_seconds += std::stod(value) / ticks_per_second;
        if (field == 22) {
            facts.start_time_seconds = boot_time() + std::stod(value) / ticks_per_second;
        }
        if (field == 23) facts.virtual_bytes = std::stoull(value);
        if (field == 24) {
            facts.resident_bytes =
                std::stoull(value) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
            break;
        }
    }
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.max_fds = limit.rlim_cur;
    std::error_code error;
    for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
         it.increment(error)) {
        ++facts.open_fds;
    }
    if (facts.open_fds > 0) --facts.open_fds;  // the one that lists them
    return facts;
}

}  // namespace metrics
