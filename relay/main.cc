// posthaste: the command line. Each command is one function elsewhere.
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "relay/node/node.h"
#include "relay/node/serve.h"
#include "relay/spool/dump.h"

// jemalloc reads it (its manual, TUNING). Without a thread for it, memory that was freed goes back
// to the kernel only while others allocate, so a node that went quiet would keep what its peak
// took.
extern "C" const char* const malloc_conf = "background_thread:true";

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
    CLI::App* spool = app.add_subcommand("spool", "Look at a spool on disk.");
    spool->require_subcommand(1);
    std::string directory;
    CLI::App* dump = spool->add_subcommand(
        "dump", "Print every record as a line of JSON; exit 1 if something is damaged.");
    dump->add_option("DIR", directory, "DATA_DIR, DATA_DIR/spool, or a copy of it")->required();
    CLI11_PARSE(app, argc, argv);
    if (dump->parsed()) return relay::dump_spool(directory, stdout);
    return serve->parsed() ? relay::serve(config_file) : relay::check(config_file);
}
