// serve: runs the relay in the foreground until SIGTERM or SIGINT, then drains and returns.
// check: what serve would refuse, without serving. Both are called once, on the main thread.
#pragma once

#include <filesystem>

namespace relay {

// Exit status: 0 after a drain, 1 when the configuration or the start failed (said on stderr).
int serve(const std::filesystem::path& config_file);
// Validates the configuration and everything it names; 0 or 1.
int check(const std::filesystem::path& config_file);

}  // namespace relay
