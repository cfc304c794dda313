// posthaste: the command line. Each command is one function elsewhere.
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "relay/node/node.h"
#include "relay/node/serve.h"

int main(int argc, char** argv) {
    CLI::App app{"Posthaste: a high-throughput relay for bulk outbound mail", "posthaste"};
    app.set_version_flag("--version", std::string(relay::kVersion));
    app.require_subcommand(1);
    std::string config_file;
    CLI::App* serve = app.add_subcommand(
        "serve", "Run in the foreground; SIGTERM drains and exits. Logs to stderr.");
    serve->add_option("--config", config_file, "Configuration file (TOML)")->required();
    CLI::App* check =
        app.add_subcommand("check", "Validate a configuration and everything it names.");
    check->add_option("--config", config_file, "Configuration file (TOML)")->required();
    CLI11_PARSE(app, argc, argv);
    return serve->parsed() ? relay::serve(config_file) : relay::check(config_file);
}
