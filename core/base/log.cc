#include "core/base/log.h"

#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace core {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
        case LogLevel::kDebug:
            return spdlog::level::debug;
        case LogLevel::kInfo:
            return spdlog::level::info;
        case LogLevel::kWarning:
            return spdlog::level::warn;
        case LogLevel::kError:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

// UTC, so that logs of several machines and the event log compare; flushed at once: stderr may be a
// pipe, and whoever waits for the line `ready` must not wait for a buffer to fill.
spdlog::logger& logger() {
    static const std::shared_ptr<spdlog::logger> instance = [] {
        auto made = std::make_shared<spdlog::logger>(
            "posthaste", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
        made->set_level(spdlog::level::info);
        made->flush_on(spdlog::level::trace);
        return made;
    }();
    return *instance;
}

}  // namespace

void log_write(LogLevel level, std::string_view line) {
    logger().log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

void set_log_level(LogLevel level) {
    logger().set_level(to_spdlog(level));
}

std::string escaped(std::string_view text, std::size_t limit) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const bool cut = text.size() > limit;
    if (cut) text = text.substr(0, limit);
    std::string safe;
    safe.reserve(text.size() + 8);
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet >= 0x20 && octet != 0x7f && c != '\\') {
            safe.push_back(c);
            continue;
        }
        if (c == '\\') {  // so that an escape in the output was never in the input
            safe += "\\\\";
            continue;
        }
        safe += "\\x";
        safe.push_back(kHex[octet >> 4]);
        safe.push_back(kHex[octet & 15]);
    }
    if (cut) safe += "...";
    return safe;
}

}  // namespace core
