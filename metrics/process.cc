#include "metrics/process.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <sys/resource.h>
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

}  // namespace

ProcessFacts process_facts() {
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
    std::error_code error;
    for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
         it.increment(error)) {
        ++facts.open_fds;
    }
    if (facts.open_fds > 0) --facts.open_fds;  // the one that lists them
    return facts;
}

}  // namespace metrics
