// posthaste: the command line. Each command is one function elsewhere. Exit status: 0, or 1 when a
// command failed, or 2 when it was called in a way that there is not.
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "core/base/spelling.h"
#include "relay/control/cli/commands.h"
#include "relay/node/node.h"
#include "relay/node/serve.h"
#include "relay/node/show_path.h"
#include "relay/spool/dump.h"

// jemalloc reads it (its manual, TUNING). Without a thread for it, memory that was freed goes back
// to the kernel only while others allocate, so a node that went quiet would keep what its peak
// took.
extern "C" const char* const malloc_conf = "background_thread:true";

namespace {

constexpr int kUsage = 2;
constexpr const char* kConfigFile = "/etc/posthaste/posthaste.toml";

int misused(const CLI::App& command, const std::string& sentence) {
    std::string name = command.get_name();
    for (const CLI::App* above = command.get_parent(); above != nullptr;
         above = above->get_parent())
        name = above->get_name() + " " + name;
    std::fprintf(stderr, "posthaste: %s\nRun \"%s --help\" for more.\n", sentence.c_str(),
                 name.c_str());
    return kUsage;
}

// A word that no command has, or an option: what was meant, if something is near.
std::string unknown(std::string_view kind, const std::string& word,
                    const std::vector<std::string>& known) {
    std::string sentence = "there is no " + std::string(kind) + " \"" + word.substr(0, 80) + "\"";
    const std::string_view guess = core::nearest(word, known);
    if (!guess.empty()) sentence.append("; is \"").append(guess).append("\" meant?");
    return sentence;
}

std::vector<std::string> names_of(const std::vector<CLI::App*>& commands) {
    std::vector<std::string> names;
    for (const CLI::App* each : commands)
        names.push_back(each->get_name());
    return names;
}

// What CLI11 found wrong, in our words where they help more.
int explain(CLI::App& app, const CLI::ParseError& error) {
    CLI::App* command = &app;
    while (!command->get_subcommands().empty())
        command = command->get_subcommands().front();
    const auto commands = command->get_subcommands([](CLI::App*) { return true; });
    const std::vector<std::string> rest = app.remaining(true);
    if (!rest.empty() && rest.front().starts_with('-')) {
        std::vector<std::string> options;
        for (const CLI::Option* each : command->get_options())
            options.push_back(each->get_name());
        const std::string name = rest.front().substr(0, rest.front().find('='));
        return misused(*command, unknown("option", name, options));
    }
    if (!rest.empty() && !commands.empty()) {
        return misused(*command, unknown("command", rest.front(), names_of(commands)));
    }
    if (commands.empty()) return misused(*command, error.what());
    std::fputs(command->help().c_str(), stderr);  // nothing was asked for
    return kUsage;
}

class PathCommand {
  public:
    PathCommand(CLI::App& app, std::string& config_file) : config_file_(config_file) {
        CLI::App* path = app.add_subcommand("path", "What would happen to mail.");
        path->require_subcommand(1);
        show_ = path->add_subcommand(
            "show",
            "Print what the configuration says about mail to a domain: its provider and each limit "
            "with the file and line that set it. Asks no network, unless --admin names a relay: "
            "then that says it, with what it learned.");
        show_->add_option("DOMAIN", question_.domain, "Domain of recipients");
        show_->add_option("--config", config_file, "Configuration file (TOML)")
            ->capture_default_str();
        show_->add_option("--mx", question_.mx, "MX host to assume; may be given several times")
            ->allow_extra_args(false);
        show_->add_option("--source", question_.source, "Egress source")->capture_default_str();
        admin_.add_to(*show_);
        show_->add_flag("--built-in", built_in_, "Print the built-in shaping file instead.");
    }
    bool parsed() const { return show_->parsed(); }
    int run() const {
        if (built_in_) return relay::show_built_in_shaping();
        if (question_.domain.empty()) return misused(*show_, "path show needs a DOMAIN");
        if (show_->count("--admin") > 0) return relay::show_live_path(admin_, question_.domain);
        return relay::show_path(config_file_, question_);
    }

  private:
    std::string& config_file_;
    relay::PathQuestion question_;
    relay::AdminOptions admin_;
    bool built_in_ = false;
    CLI::App* show_ = nullptr;
};

int run(int argc, char** argv) {
    CLI::App app{"Posthaste: a high-throughput relay for bulk outbound mail", "posthaste"};
    app.set_version_flag("--version", std::string(relay::kVersion));
    app.require_subcommand(1);
    std::string config_file = kConfigFile;
    CLI::App* serve = app.add_subcommand(
        "serve", "Run in the foreground; SIGTERM drains and exits. Logs to stderr.");
    CLI::App* check =
        app.add_subcommand("check", "Validate a configuration and everything it names.");
    for (CLI::App* command : {serve, check}) {
        command->add_option("--config", config_file, "Configuration file (TOML)")
            ->capture_default_str();
    }
    std::string against;
    check->add_option("--against", against,
                      "Another configuration: print each key that differs, old and new value, and "
                      "whether a reload or a restart puts it in force.");
    bool take_over = false;
    serve->add_flag("--take-over", take_over,
                    "Take the listening sockets from the process that serves the same data "
                    "directory, which then drains and ends: no client is refused meanwhile.");
    CLI::App* spool = app.add_subcommand("spool", "Look at a spool on disk.");
    spool->require_subcommand(1);
    std::string directory;
    CLI::App* dump = spool->add_subcommand(
        "dump", "Print every record as a line of JSON; exit 1 if something is damaged.");
    dump->add_option("DIR", directory, "DATA_DIR, DATA_DIR/spool, or a copy of it")->required();
    PathCommand path(app, config_file);
    const relay::RemoteCommands remote(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const CLI::CallForVersion& version) {
        return app.exit(version);
    } catch (const CLI::ParseError& error) {
        return explain(app, error);
    }
    if (relay::RemoteCommand* command = remote.named()) return command->run();
    if (dump->parsed()) return relay::dump_spool(directory, stdout);
    if (path.parsed()) return path.run();
    if (check->parsed()) return relay::check(config_file, against);
    return relay::serve(config_file, take_over ? relay::Start::take_over : relay::Start::fresh);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {  // memory is out before anything runs
        std::fprintf(stderr, "posthaste: %s\n", error.what());
        return 1;
    }
}
