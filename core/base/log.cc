#include "core/base/log.h"

#include <algorithm>
#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "core/base/utf8.h"

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
    std::string safe;
    safe.reserve(std::min(text.size(), limit) + 8);
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t sequence = utf8_sequence(text.substr(at));
        const std::string_view one = text.substr(at, std::max<std::size_t>(sequence, 1));
        if (at + one.size() > limit) break;
        at += one.size();
        if (one == "\\") {  // so that an escape in the output was never in the input
            safe += "\\\\";
        } else if (sequence > 0 && !is_unseen_control(utf8_value(one))) {
            safe += one;
        } else {
            for (const char c : one) {
                safe += "\\x";
                safe.push_back(kHex[static_cast<unsigned char>(c) >> 4U]);
                safe.push_back(kHex[static_cast<unsigned char>(c) & 15U]);
            }
        }
    }
    if (at < text.size()) safe += "...";
    return safe;
}

}  // namespace core
