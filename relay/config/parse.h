// From the text of a configuration file to a Config, or to every mistake found in it. The keys are
// described in docs/configuration.md. A key of a feature that this version does not have is refused
// with "not available in this version" when it asks for the feature; nothing is ever ignored.
// Called on the main thread, before the shards start.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "relay/config/config.h"
#include "relay/shaping/problem.h"

namespace relay {

// Only the text: no file is read, no name looked up. file is what problems are reported under.
std::expected<Config, Problems> parse_config(std::string_view text, const std::string& file);

// Reads the file, parses it, makes relative paths relative to the file's directory, and fills in
// what comes from the machine (node.hostname, events.log_dir).
std::expected<Config, Problems> load_config(const std::filesystem::path& file);

}  // namespace relay
