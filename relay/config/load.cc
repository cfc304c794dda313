// From a configuration file to a Config: what parse.h declares and needs files or the machine.
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "core/base/text_file.h"
#include "core/base/toml.h"
#include "relay/config/parse.h"

namespace relay {
namespace {

std::filesystem::path below(const std::filesystem::path& directory,
                            const std::filesystem::path& path) {
    return (directory / path).lexically_normal();  // an absolute path stays as it is
}

void move_below(const std::filesystem::path& directory, NamedFile& file) {
    if (!file.empty()) file.path = below(directory, file.path);
}

// Relative names are relative to the directory of the file.
void move_below(const std::filesystem::path& directory, Config& config) {
    config.node.data_dir = below(directory, config.node.data_dir);
    config.events.log_dir = config.events.log_dir.empty() ? config.node.data_dir / "events"
                                                          : below(directory, config.events.log_dir);
    for (NamedFile& each : config.shaping.files)
        move_below(directory, each);
    for (NamedFile& each : config.bounce.files)
        move_below(directory, each);
    move_below(directory, config.delivery.tls_ca_file);
    for (RouteConfig& route : config.routes) {
        if (route.smarthost == nullptr) continue;
        Smarthost moved = *route.smarthost;
        for (NamedFile* file :
             {&moved.ca_file, &moved.certificate_file, &moved.key_file, &moved.password_file}) {
            move_below(directory, *file);
        }
        route.smarthost = std::make_shared<const Smarthost>(std::move(moved));
    }
}

}  // namespace

ParsedConfig load_config(const std::filesystem::path& file, const std::string& hostname) {
    ParsedConfig parsed;
    const auto text = core::read_text_file(file, core::kMostTomlOctets);
    if (!text) {
        parsed.problems.push_back({file.string(), 0, text.error()});
        return parsed;
    }
    parsed = read_config(*text, file.string());
    if (!parsed.readable) return parsed;
    std::error_code error;
    const std::filesystem::path whole = std::filesystem::absolute(file, error);
    if (error) {  // the working directory is gone
        parsed.problems.push_back({file.string(), 0, "has no absolute name: " + error.message()});
        return parsed;
    }
    move_below(whole.parent_path(), parsed.config);
    std::string& name = parsed.config.node.hostname;
    if (name.empty()) name = hostname.empty() ? machine_hostname() : hostname;
    if (!name.contains('.')) {
        parsed.warnings.push_back(
            {file.string(), parsed.config.node.lines.of("hostname"),
             "[node] hostname = \"" + name +
                 "\" is not fully qualified: receivers mind such a name "
                 "in EHLO (RFC 5321 section 2.3.5); write one such as \"mta1.example.com\""});
    }
    return parsed;
}

}  // namespace relay
