// From the text of a configuration file to a Config, or to every mistake found in it. The keys are
// those of the schema (relay/config/schema.h). A key of a feature that this version does not have
// is refused with "not available in this version" when it asks for the feature; nothing is ever
// ignored. Called on the main thread, before the shards start.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "relay/config/config.h"
#include "relay/shaping/problem.h"

namespace relay {

// What a text came to. With problems config is only good for looking for further ones: each key
// that is wrong has its default.
struct ParsedConfig {
    Config config = default_config();
    Problems problems;
    Problems warnings;
    bool readable = false;  // it is TOML at all
};

// Only the text: no file is read, no name looked up. file is what problems are reported under.
ParsedConfig read_config(std::string_view text, const std::string& file);
// The same where only a configuration without any problem is of use.
std::expected<Config, Problems> parse_config(std::string_view text, const std::string& file);

// Reads the file, parses it, makes relative paths relative to the file's directory, and fills in
// what comes from the machine (node.hostname, events.log_dir). hostname: what the machine was
// called when it was asked before, as asking may take as long as a name server is silent.
ParsedConfig load_config(const std::filesystem::path& file, const std::string& hostname = {});

}  // namespace relay
