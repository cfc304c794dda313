#include "metrics/process.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/text_file.h"

namespace metrics {
namespace {

constexpr std::size_t kMostOctets = 1U << 20;  // of a file of the kernel

// Takes the next word from the text; empty at its end.
std::string_view next_word(std::string_view& text) {
    constexpr std::string_view kSpace = " \n";
    text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(kSpace));
    text.remove_prefix(word.size());
    return word;
}

std::uint64_t number(std::string_view word) {
    std::uint64_t value = 0;
    std::from_chars(word.data(), word.data() + word.size(), value);
    return value;
}

double boot_time() {
    const std::string text = core::read_text_file("/proc/stat", kMostOctets).value_or("");
    constexpr std::string_view kKey = "\nbtime ";
    const std::size_t at = text.find(kKey);
    if (at == std::string::npos) return 0;
    std::string_view rest = std::string_view(text).substr(at + kKey.size());
    return static_cast<double>(number(next_word(rest)));
}

std::uint64_t count_fds(std::uint64_t known_fds) {
    struct stat facts{};
    if (::stat("/proc/self/fd", &facts) == 0 && facts.st_size > 0) {
        return static_cast<std::uint64_t>(facts.st_size);
    }
    const std::uint64_t listed = listed_fds(kMostListed);
    return listed < kMostListed ? listed : std::max(listed, known_fds);
}

}  // namespace

std::uint64_t listed_fds(std::uint64_t most) {
    std::uint64_t count = 0;
    std::error_code error;
    for (std::filesystem::directory_iterator it("/proc/self/fd", error), end;
         !error && it != end && count <= most; it.increment(error)) {
        ++count;
    }
    return count > 0 ? count - 1 : 0;  // without the one that lists them
}

ProcessFacts process_facts(std::uint64_t known_fds) {
    ProcessFacts facts;
    // The fields of /proc/self/stat from the third on: the second is a name that may hold anything
    // but ends in the last parenthesis.
    const std::string stat = core::read_text_file("/proc/self/stat", kMostOctets).value_or("");
    std::string_view fields = stat;
    fields.remove_prefix(std::min(fields.rfind(')') + 1, fields.size()));
    const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
    for (int field = 3; field <= 24; ++field) {
        const std::uint64_t value = number(next_word(fields));
        const double seconds = static_cast<double>(value) / ticks_per_second;
        if (field == 14 || field == 15) facts.cpu_seconds += seconds;
        if (field == 22) facts.start_time_seconds = boot_time() + seconds;
        if (field == 23) facts.virtual_bytes = value;
        if (field == 24) {
            facts.resident_bytes = value * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
        }
    }
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.max_fds = limit.rlim_cur;
    facts.open_fds = count_fds(known_fds);
    return facts;
}

}  // namespace metrics
