// `posthaste path show`: prints what a configuration says about mail to a domain, or the built-in
// shaping file. Called once, on the main thread.
#pragma once

#include <filesystem>

#include "relay/config/path_report.h"

namespace relay {

// Exit status: 0, or 1 when the configuration is wrong (said on stderr).
int show_path(const std::filesystem::path& config_file, const PathQuestion& question);
int show_built_in_shaping();

}  // namespace relay
