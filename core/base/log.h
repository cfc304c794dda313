// The operational log: for operators, off the path of a message. spdlog to stderr, one line a
// record, CR and LF in values escaped by the formatter of the caller (see escaped()). Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <spdlog/fmt/fmt.h>

namespace core {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

void log_write(LogLevel level, std::string_view line);
void set_log_level(LogLevel level);

// Text from outside, safe to print on one line, cut at limit: controls (C0, DEL, C1, overrides of
// direction and the like, see is_unseen_control()) and octets that are not UTF-8 as \xNN.
std::string escaped(std::string_view text, std::size_t limit = 512);

template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
    log_write(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
    log_write(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
    log_write(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
    log_write(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace core
