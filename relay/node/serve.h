// serve: runs the relay in the foreground until SIGTERM or SIGINT, then drains and returns.
// check: what serve would refuse, without serving. Both are called once, on the main thread.
#pragma once

#include <cstdint>
#include <filesystem>

namespace relay {

// take_over: from the process that serves the same data directory now (relay/node/handover.h).
enum class Start : std::uint8_t { fresh, take_over };

// Exit status: 0 after a drain, 1 when the configuration or the start failed (said on stderr).
int serve(const std::filesystem::path& config_file, Start start);
// Validates the configuration and everything it names; 0 or 1. against: another configuration;
// prints each key that differs, with both places and whether a reload puts it in force.
int check(const std::filesystem::path& config_file, const std::filesystem::path& against = {});

}  // namespace relay
